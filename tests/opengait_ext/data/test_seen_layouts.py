"""Files of a layout that was read before: the same arrays, and never code."""

import os
import pickle

import numpy as np
import pytest

from opengait_ext.data import safe_pickle
from opengait_ext.data.safe_pickle import read_array
from opengait_ext.data.seen_layouts import SeenLayouts
from plugins.errors import KpstraError


@pytest.fixture
def careful(monkeypatch):
    """How often a file is read instruction by instruction."""
    counted, unpickle = [], safe_pickle.unpickle
    monkeypatch.setattr(safe_pickle, "SEEN", SeenLayouts())
    monkeypatch.setattr(safe_pickle, "unpickle", lambda content: counted.append(1) or unpickle(content))
    return counted


def write(path, value, protocol=4):
    path.write_bytes(pickle.dumps(value, protocol))
    return path


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
@pytest.mark.parametrize("order", ["C", "F"])
def test_read_once_with_care(careful, tmp_path, protocol, order):
    """Every file gives its own numbers; of one layout, the first alone is unpickled, but for text of protocol 2."""
    chance = np.random.default_rng(0)
    for i in range(4):
        array = np.asarray(chance.integers(0, 256, (5, 6, 4)).astype(np.uint8), order=order)
        read = read_array(write(tmp_path / f"{i}.pkl", array, protocol))
        assert read.dtype == array.dtype and np.array_equal(read, array)
    assert len(careful) == (4 if protocol == 2 else 1)


def test_other_shapes_and_types_are_other_layouts(careful, tmp_path):
    """Also where the files are as long."""
    arrays = [np.arange(24, dtype=kind).reshape(shape) for kind in ("i4", "u4", "f4") for shape in ((2, 12), (12, 2))]
    for i, array in enumerate([*arrays, *arrays]):
        read = read_array(write(tmp_path / f"{i}.pkl", array))
        assert read.dtype == array.dtype and np.array_equal(read, array)


def test_ambiguous_numbers_are_not_kept(careful, tmp_path):
    """A constant may stand in a file twice: beside its place, as a part of the instructions."""
    for i in range(3):
        assert read_array(write(tmp_path / f"{i}.pkl", np.full((1, 1), 1, np.uint8))).tolist() == [[1]]
    assert len(careful) == 3


def test_a_changed_instruction_is_refused(careful, tmp_path):
    """Whatever was read before: the same size, but another name."""
    array = np.arange(40, dtype=np.uint8).reshape(4, 10)
    read_array(write(tmp_path / "good.pkl", array))
    content = (tmp_path / "good.pkl").read_bytes()
    assert b"_reconstruct" in content or b"_frombuffer" in content
    for old, new in ((b"_reconstruct", b"_reconstrucs"), (b"ndarray", b"ndarraz")):
        if old in content:
            (tmp_path / "bad.pkl").write_bytes(content.replace(old, new))
            with pytest.raises(KpstraError, match="which no array needs"):
                read_array(tmp_path / "bad.pkl")
    os.truncate(tmp_path / "good.pkl", len(content) - 1)
    with pytest.raises(KpstraError, match="not a readable sequence file"):
        read_array(tmp_path / "good.pkl")
