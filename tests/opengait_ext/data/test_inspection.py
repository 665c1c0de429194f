"""A prepared data set looked at whole: each fault is one finding that names it."""

import json
import pickle
import shutil

import numpy as np
import pytest
from gait_data import write_data

from opengait_ext.data.inspection import inspect_dataset
from plugins.errors import KpstraError

FIRST = "0000/camid0_videoid0/seq0"


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return write_data(tmp_path_factory.mktemp("gait"), frames=2)


@pytest.fixture
def data(made, tmp_path):
    shutil.copytree(made, tmp_path, dirs_exist_ok=True)
    return tmp_path


def faults(data, **options):
    return [what for well, what in inspect_dataset(data / "data", data / "partition.json", **options) if not well]


def rewrite(data, change, file="1_keypoints.pkl", names="*/*/*"):
    for path in (data / "data").glob(f"{names}/{file}"):
        path.write_bytes(pickle.dumps(change(pickle.loads(path.read_bytes()))))


def test_all_is_well(data):
    assert faults(data) == []


def test_hidden_files_and_lists_of_other_systems_do_no_harm(data):
    for folder in (data / "data", data / "data/0000", data / "data" / FIRST):
        (folder / ".DS_Store").write_bytes(b"")
        (folder / "Thumbs.db").write_bytes(b"")
    (data / "data/.cache/a/b").mkdir(parents=True)
    assert faults(data) == []


def test_identities_with_dashes_and_spaces(data):
    (data / "data/0004").rename(data / "data/a person-1")
    text = (data / "partition.json").read_text().replace('"0000", ', "").replace("0004", "a person-1")
    (data / "partition.json").write_text(text)
    assert faults(data) == []
    assert (True, "identities in neither: 1, such as 0000") in inspect_dataset(data / "data", data / "partition.json")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda k: k / [64, 64, 1], "0.0% of 1904; they seem to be shares of the image, from 0 to 1"),
        (lambda k: k[..., [1, 0, 2]], "x and y seem to be swapped"),
        (lambda k: k[:, ::-1], "head above the hips above the ankles: 0.0% of 112; their order seems to be reversed"),
        (lambda k: k * [1, 1, 100], "scores above 1.5: 1904 of 1904"),
        (lambda k: k * [1, 1, 0.4], "no joint has a score of 0.5 or more in 112 of 112 frames"),
        (lambda k: k / [64, 64, 3], "0.0% of 1904; they seem to be shares of the image, from 0 to 1"),
        (lambda k: k * [1, 1, 0], "no joint has a score above 0 in 112 of 112 frames; they seem to be of a pose"),
        (lambda k: k[:, :, :2], "1_keypoints.pkl: an array of shape (2, 17, 2), expected keypoints (T, 17, 3)"),
        (lambda k: np.concatenate([k, k[:, :1]], 1), "of shape (2, 18, 3), expected keypoints (T, 17, 3)"),
        (lambda k: k[1:], "1_keypoints.pkl: 1 frames, but"),
        (lambda k: k * np.inf, "1_keypoints.pkl: NaN or infinite values, first in frame 0"),
    ],
)
def test_keypoints(data, change, said):
    rewrite(data, change)
    assert said in " | ".join(faults(data))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda s: s // 255, "the greatest value is 1, expected 255"),
        (lambda s: 255 - s, "they seem to be inverted"),
        (lambda s: s[..., None], "0_sil.pkl: an array of shape (2, 64, 64, 1), expected silhouettes (T, H, W)"),
    ],
)
def test_silhouettes(data, change, said):
    rewrite(data, change, "0_sil.pkl")
    assert said in " | ".join(faults(data))


def test_files(data):
    (data / "data" / FIRST / "0_sil.pkl").write_bytes(b"")
    (data / "data/0001/camid0_videoid0/seq0/0_sil.pkl").unlink()
    said = faults(data)
    assert len(said) == 2
    assert "files in each: 2 in 31, 1 in 1, such as 0001/camid0_videoid0/seq0" in said[0]
    assert f"unreadable files: 1: {data}/data/{FIRST}/0_sil.pkl: not a readable sequence file" in said[1]


def test_the_partition(data):
    sets = json.loads((data / "partition.json").read_text())
    sets["TRAIN_SET"] += ["0004", "0099"]
    sets["PROBE_SET"] = ["0004-camid9_videoid0-seq0", *(f"0005-camid{i}_videoid0-seq0" for i in range(4))]
    sets["TEST_SET"] = ["0004", "0005"]
    (data / "partition.json").write_text(json.dumps(sets))
    assert faults(data, published="Gait3D") == [
        "training identities: 5 of the 6 in partition.json, not 0099",
        "probe sequences: 4 of the 5 in partition.json, not 0004-camid9_videoid0-seq0",
        "training identities: 5, Gait3D has 3000",
        "test identities: 2, Gait3D has 1000",
        "probe sequences: 4, Gait3D has 1000",
        "identities both in TRAIN_SET and TEST_SET: 0004",
        "gallery sequences: 4, at least 10 are needed",
        "probe identities without a gallery sequence: 0005",
    ]
    (data / "partition.json").write_text("{}")
    with pytest.raises(KpstraError, match=r"partition\.json: TRAIN_SET: expected a list"):
        faults(data)
