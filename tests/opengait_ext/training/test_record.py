"""What a run leaves for programs: read as written; none where it is damaged."""

import json

import pytest

from opengait_ext.training import record
from opengait_ext.training.folder import training_folder
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


def settings_of(folder, name="Gait3D", root="/data/Gait3D", people="a", evaluation="evaluate_Gait3D"):
    """Settings of a run, whose partition is a file."""
    partition = folder / f"{people}.json"
    partition.write_text(people)
    data = {"dataset_name": "Gait3D", "test_dataset_name": name, "dataset_root": root, "dataset_partition": partition}
    return {"data_cfg": data, "evaluator_cfg": {"eval_func": evaluation, "metric": "euc"}}


def train(folder, settings):
    with training_folder(
        {**settings, "trainer_cfg": {"save_name": folder.name}, "model_cfg": {"model": "M"}}, {}, False
    ):
        TrainingRecord(folder, 20, False).write(20, "x-00020.pt")


def test_tests(tmp_path):
    """By checkpoint; one that is written anew has not been tested."""
    settings = settings_of(tmp_path)
    path = write_test(tmp_path, "a/b/x-v1.5-00020.pt", settings, {"mAP": 61.2})
    assert path == tmp_path / "logs" / "test-x-v1.5-00020.json"
    found, content = read_test(tmp_path, "x-v1.5-00020")
    assert found == path and content["metrics"] == {"mAP": 61.2} and content["eval_func"] == "evaluate_Gait3D"
    data = {
        "test_dataset_name": "Gait3D",
        "dataset_root": "/data/Gait3D",
        "dataset_partition": "a.json (sha256 ca978112)",
    }
    assert content["data"] == data and content["evaluator_cfg"] == settings["evaluator_cfg"]
    assert read_test(tmp_path, "x-v1.5-00010") is None
    TrainingRecord(tmp_path, 40, False).write(20, "x-v1.5-00020.pt")
    assert read_test(tmp_path, "x-v1.5-00020") is None


OTHERS = [{"name": "CASIA B/2"}, {"root": "/data/occluded"}, {"people": "b"}]


@pytest.mark.parametrize("known", [True, False], ids=["training known", "first test's"])
def test_other_data_have_a_record_of_their_own(tmp_path, monkeypatch, known):
    """In any order where the data of the training are known; else than the first test's."""
    monkeypatch.chdir(tmp_path)
    folder, settings = tmp_path / "output" / "Gait3D" / "M" / "x", settings_of(tmp_path)
    if known:
        train(folder, settings)
    else:
        write_test(folder, "x-00020", settings, {"mAP": 0.0})
    paths = [write_test(folder, "x-00020", settings_of(tmp_path, **other), {"mAP": 1.0}) for other in OTHERS]
    assert len({*paths}) == 3 and [p.name.rpartition("-")[0] for p in paths] == [
        f"test-x-00020-on-{name}" for name in ("CASIA_B_2", "Gait3D", "Gait3D")
    ]
    assert write_test(folder, "x-00020", settings_of(tmp_path, **OTHERS[2]), {"mAP": 2.0}) == paths[2]
    path = write_test(folder, "x-00020", settings, {"mAP": 3.0})
    assert read_test(folder, "x-00020") == (path, json.loads(path.read_text())) and path.stem == "test-x-00020"
    assert [json.loads(p.read_text())["metrics"]["mAP"] for p in (*paths, path)] == [1.0, 1.0, 2.0, 3.0]
    TrainingRecord(folder, 40, False).write(20, "x-00020.pt")
    assert not list((folder / "logs").glob("test-*"))


def test_data_that_were_moved_are_found(tmp_path, monkeypatch):
    """A leaderboard's test, of which the training was elsewhere; other people's and other sets' are none."""
    monkeypatch.chdir(tmp_path)
    folder, settings = tmp_path / "output" / "Gait3D" / "M" / "x", settings_of(tmp_path)
    train(folder, settings)
    for other in (OTHERS[0], OTHERS[2]):
        write_test(folder, "x-00020", settings_of(tmp_path, **other), {"mAP": 1.0})
    assert read_test(folder, "x-00020") is None
    moved = write_test(folder, "x-00020", settings_of(tmp_path, root="/mnt/Gait3D"), {"mAP": 2.0})
    path, content = read_test(folder, "x-00020")
    assert path == moved and content["metrics"] == {"mAP": 2.0}


def test_a_record_of_an_earlier_version(tmp_path):
    """It says of no data: it is read, and a new test takes its place."""
    path = tmp_path / "logs" / "test-x-00020.json"
    path.parent.mkdir()
    path.write_text(
        json.dumps({"checkpoint": "x-00020", "eval_func": "e", "metrics": {"mAP": 1.0}, "finished": "2026"})
    )
    assert read_test(tmp_path, "x-00020")[1]["metrics"] == {"mAP": 1.0}
    assert write_test(tmp_path, "x-00020", settings_of(tmp_path), {"mAP": 2.0}) == path


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
