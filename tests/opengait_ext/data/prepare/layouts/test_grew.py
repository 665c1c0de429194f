"""GREW's galleries: any number of sequences, and poses that lack some of them."""

import shutil
from pathlib import Path

import pytest

from opengait_ext.data.prepare import prepare
from opengait_ext.data.prepare.layouts import LAYOUTS, choose
from opengait_ext.data.safe_pickle import read_array

EXAMPLE = Path(__file__).parents[4] / "data" / "formats" / "grew" / "train" / "00001" / "AbCd1234"
PLACES = {"7/01/a": "gallery/7/a", "7/02/b": "gallery/7/b", "7/03/c": "gallery/7/c", "probe/03/d": "probe/d"}


@pytest.fixture
def root(tmp_path):
    for place in PLACES.values():
        for kind, suffix in (("sils", ".png"), ("poses", "_2d_pose.txt")):
            shutil.copytree(
                EXAMPLE,
                tmp_path / kind / "test" / place,
                ignore=lambda _, names, end=suffix: [name for name in names if not name.endswith(end)],
            )
    return tmp_path


def test_a_third_sequence_of_a_gallery_is_no_probe(root):
    grew = LAYOUTS["grew"]
    assert grew.sequences(root / "sils") == list(PLACES)
    assert [grew.images(root / "sils", name) for name in PLACES] == [root / "sils/test" / p for p in PLACES.values()]


def test_poses_are_joined_by_the_sequences_names(root):
    """Sequence c keeps its pose and its number though a and b have no poses; a pose of none of them is counted."""
    shutil.rmtree(root / "poses/test/gallery/7/a")
    (root / "poses/test/gallery/7/b").rename(root / "poses/test/gallery/7/0")
    posed = choose("grew", root / "sils").posed(root / "poses")
    assert sorted(posed) == ["7/01/0", "7/03/c", "probe/03/d"]
    report = prepare(root / "sils", root / "poses", root / "out", workers=1, layout="grew")
    assert report["sequences"] == 4 and report["poses without silhouette"] == 3
    assert report["frames with all joints absent"]["missing"] == 6
    with_pose = {name: read_array(root / "out" / name / "1_keypoints.pkl")[..., 2].any() for name in PLACES}
    assert with_pose == {"7/01/a": False, "7/02/b": False, "7/03/c": True, "probe/03/d": True}
