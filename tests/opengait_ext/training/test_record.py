"""What a run leaves for programs: read as written; none where it is damaged."""

import pytest

from opengait_ext.training import record
from opengait_ext.training.record import TrainingRecord, read_test, read_training, scalars, write_test


@pytest.fixture(autouse=True)
def one_process(monkeypatch):
    monkeypatch.setattr(record, "_where", lambda: {"device": "cpu", "processes": 1})


def test_seconds_go_on(tmp_path, monkeypatch):
    """Those of a run that goes on are counted on; those of one that begins anew are not."""
    now = iter([0.0, 10.0, 100.0, 105.0, 200.0, 203.0])
    monkeypatch.setattr(record.time, "monotonic", lambda: next(now))
    for goes_on, seconds in ((False, 10.0), (True, 15.0), (False, 3.0)):
        TrainingRecord(tmp_path, 40, goes_on).write(20, tmp_path / "x-00020.pt")
        expected = {"iteration": 20, "total_iter": 40, "seconds": seconds, "device": "cpu", "processes": 1}
        assert read_training(tmp_path) == expected


def test_tests(tmp_path):
    """By checkpoint; one that is written anew has not been tested."""
    path = write_test(tmp_path, "a/b/x-v1.5-00020.pt", "evaluate_Gait3D", {"mAP": 61.2})
    found, content = read_test(tmp_path, "x-v1.5-00020")
    assert found == path and content["metrics"] == {"mAP": 61.2} and content["eval_func"] == "evaluate_Gait3D"
    assert read_test(tmp_path, "x-v1.5-00010") is None
    TrainingRecord(tmp_path, 40, False).write(20, "x-v1.5-00020.pt")
    assert read_test(tmp_path, "x-v1.5-00020") is None


@pytest.mark.parametrize("content", ["", "{", "[1]"])
def test_damaged(tmp_path, content):
    (tmp_path / "training.json").write_text(content)
    assert read_training(tmp_path) is None


def test_names():
    results = {"scalar/test_accuracy/NM@R1": 1, "scalar/test_accuracy/": 2.0, "scalar/test_f1/": 3, "scalar/x": [1, 2]}
    assert scalars(results) == {"NM@R1": 1.0, "accuracy": 2.0, "f1": 3.0} and scalars(None) == {}


def test_a_matrix_of_views():
    """Two means, each by a name that says which: with the pairs of one view, and without."""
    results = {"scalar/test_accuracy/CL": [[90, 30], [20, 80]], "scalar/test_accuracy/UP": [[5]]}
    assert scalars(results) == {"CL, all views": 55.0, "CL, other views": 25.0}
