"""The host's data set read as arrays: orders, cache, unequal modalities, and its other attributes."""
import pickle
from types import SimpleNamespace

import numpy as np
import pytest

from opengait_ext.dataset import ArrayDataset
from plugins.errors import KpstraError


def dataset(tmp_path, lengths=(3, 3), data_in_use=None):
    """A stand-in of the host's DataSet with one sequence of two modalities, listed in the wrong order."""
    paths = []
    for name, length in zip(("0_sil", "1_keypoints"), lengths, strict=True):
        path = tmp_path / f"{name}.pkl"
        path.write_bytes(pickle.dumps(np.full((length, 2), len(paths))))
        paths.append(str(path))

    class DataSet(SimpleNamespace):
        def __len__(self):
            return len(self.seqs_info)

    return DataSet(seqs_info=[["id", "type", "view", paths[::-1]]], data_in_use=data_in_use, label_list=["id"])


def test_reads_in_the_order_of_names(tmp_path):
    arrays = ArrayDataset(dataset(tmp_path))
    modalities, record = arrays[0]
    assert [int(m[0, 0]) for m in modalities] == [0, 1] and record[0] == "id"
    assert len(arrays) == 1 and arrays.label_list == ["id"]
    assert len(pickle.loads(pickle.dumps(ArrayDataset(SimpleNamespace(a=1)))).__dict__) == 2


def test_numbers_set_the_order(tmp_path):
    modalities, _ = ArrayDataset(dataset(tmp_path, data_in_use=[1, 0]))[0]
    assert [int(m[0, 0]) for m in modalities] == [1, 0]


def test_cache(tmp_path):
    arrays = ArrayDataset(dataset(tmp_path), cache=True)
    for path in tmp_path.glob("*.pkl"):
        path.unlink()
    assert len(arrays[0][0][0]) == 3


def test_unequal_modalities(tmp_path):
    with pytest.raises(KpstraError, match=r"1_keypoints\.pkl: 2 frames, but .*0_sil\.pkl has 3"):
        ArrayDataset(dataset(tmp_path, lengths=(3, 2)))[0]
