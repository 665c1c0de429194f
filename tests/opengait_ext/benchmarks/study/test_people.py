"""The test people's arrays: what the data folder holds, disturbed as `robustness` does it, and rendered anew."""

from dataclasses import replace

import numpy as np
import pytest

from opengait_ext.benchmarks.robustness.disturb import disturb
from opengait_ext.benchmarks.study.people import BATCH, TestBatches, array_files, make_arrays, read_arrays, test_names
from opengait_ext.benchmarks.study.table import Row, Study, Test
from opengait_ext.benchmarks.walkers import Settings, write
from opengait_ext.data.safe_pickle import read_array
from plugins.benchmarks.robustness import Disturbance

SETTINGS = Settings(identities=8, train=4, validation=0, sequences=4, probes=1, frames=5)
TESTS = (
    Test("clean", "clean"),
    Test("shift", "shift", "translation", 1.0),
    Test("clothes", "clothes", walkers={"clothing": 1.0}),
)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Walkers, a study on them, and the arrays of its tests."""
    folder = tmp_path_factory.mktemp("people")
    write(folder / "walkers", SETTINGS, 1)
    study = Study("t", SETTINGS, 3, {}, {"aligned": {}}, TESTS, (Row("a", "a", "x"),))
    make_arrays(folder / "walkers", folder / "tests", study, TESTS, 1)
    return folder, study


def test_arrays_are_frames_of_the_test_peoples_sequences(made):
    folder, study = made
    names = test_names(study.walkers)
    assert len(names) == 16 and names[0].startswith("0005/") and names[-1].startswith("0008/")
    arrays = {test.name: read_arrays(folder / "tests", study, test) for test in TESTS}
    for test in TESTS:
        silhouettes, joints = arrays[test.name]
        assert silhouettes.shape == (16, 3, 64, 64) and silhouettes.dtype == np.uint8
        assert joints.shape == (16, 3, 17, 3) and joints.dtype == np.float32
    for i in (0, 7, 15):
        sequence = [read_array(folder / "walkers" / names[i] / f) for f in ("0_sil.pkl", "1_keypoints.pkl")]
        moved = disturb(*sequence, Disturbance.of("translation", 1.0), 0, names[i].replace("/", "-"))
        for kept, shown, shifted, expected in zip(sequence, arrays["clean"], arrays["shift"], moved, strict=True):
            np.testing.assert_array_equal(shown[i], kept[[0, 2, 4]])
            np.testing.assert_array_equal(shifted[i], expected[[0, 2, 4]])
    clothes, clean = arrays["clothes"][0].astype(int), arrays["clean"][0].astype(int)
    assert (clothes != clean).any((1, 2, 3)).mean() > 0.8  # the same people, dressed
    assert np.abs(clothes - clean).mean() < 0.5 * np.abs(np.roll(clean, 4, 0) - clean).mean()


def test_arrays_are_made_once_and_named_after_what_they_show(made):
    folder, study = made
    files = [file for test in TESTS for file in array_files(folder / "tests", study, test)]
    times = [file.stat().st_mtime_ns for file in files]
    make_arrays(folder / "none", folder / "tests", study, TESTS, 1)
    assert times == [file.stat().st_mtime_ns for file in files]
    stronger = replace(TESTS[1], severity=2.0)
    assert array_files(folder, study, stronger) != array_files(folder, study, TESTS[1])
    assert array_files(folder, replace(study, frames=2), TESTS[0]) != array_files(folder, study, TESTS[0])


def test_batches_hold_every_sequence_once_in_order():
    count = BATCH + 3
    arrays = np.arange(count).repeat(2).reshape(count, 2), np.arange(count)[:, None] * 10
    batches = TestBatches(arrays, [f"{i:04d}/a/b" for i in range(count)])
    assert len(batches) == count and batches.dataset.label_list[-1] == f"{count - 1:04d}"
    found = list(batches)
    assert [len(batch[1]) for batch in found] == [BATCH, 3]
    np.testing.assert_array_equal(np.concatenate([batch[0][0] for batch in found]), arrays[0])
    np.testing.assert_array_equal(np.concatenate([batch[0][1] for batch in found]), arrays[1])
