"""Sequence files: arrays are read, code is not run, broken files are named."""

import os
import pickle

import numpy as np
import pytest

from opengait_ext.data.safe_pickle import read_array
from plugins.errors import KpstraError


class Malicious:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (self.path,)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize("array", [np.arange(24, dtype=np.uint8).reshape(2, 3, 4), np.ones((3, 17, 3), np.float32)])
def test_arrays(tmp_path, array, protocol):
    path = tmp_path / "a.pkl"
    path.write_bytes(pickle.dumps(array, protocol))
    np.testing.assert_array_equal(read_array(path), array)
    assert read_array(path).dtype == array.dtype
    path.write_bytes(pickle.dumps(list(array), protocol))
    np.testing.assert_array_equal(read_array(path), array)


def test_no_code_runs(tmp_path):
    path, target = tmp_path / "a.pkl", tmp_path / "made"
    path.write_bytes(pickle.dumps([np.ones(3), Malicious(str(target))]))
    with pytest.raises(KpstraError, match=r"a\.pkl: not a readable sequence file: it wants .*mkdir"):
        read_array(path)
    assert not target.exists()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x80",
        b"no pickle",
        pickle.dumps(np.ones((3, 4)))[:-20],
        pickle.dumps(3.0),
        pickle.dumps([]),
        pickle.dumps(np.zeros((0, 64, 64))),
        pickle.dumps(["a", None]),
        pickle.dumps([[1], [1, 2]]),
    ],
)
def test_broken(tmp_path, content):
    path = tmp_path / "a.pkl"
    path.write_bytes(content)
    with pytest.raises(KpstraError, match=r"a\.pkl: "):
        read_array(path)
