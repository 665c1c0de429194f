"""The host's data set read as arrays: orders, cache, unequal modalities, and its other attributes."""

import pickle
from types import SimpleNamespace

import pytest
from gait_data import dataset

from opengait_ext.data.dataset import ArrayDataset
from plugins.errors import KpstraError


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
