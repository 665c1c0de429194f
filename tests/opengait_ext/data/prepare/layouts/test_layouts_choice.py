"""Which layout is taken: of files behind links, and of one's own files that are named as another data set's."""

import shutil
from pathlib import Path

import pytest

from opengait_ext.data.prepare import prepare
from opengait_ext.data.prepare.layouts import GAIT3D, LAYOUTS, choose, detect
from plugins.errors import KpstraError

TESTS = Path(__file__).parents[4]
RAW, EXAMPLES = TESTS / "data" / "pets-mini" / "gait_raw", TESTS / "data" / "formats"
NAME = "0001/camid1_videoid0/seq0"


@pytest.mark.parametrize(
    ("layout", "folder"), [("oumvlp", "oumvlp_pose/OUMVLP-raw"), ("grew", "grew"), ("sustech1k", "sustech1k")]
)
def test_folders_of_links(tmp_path, layout, folder):
    """Sequences that lie elsewhere, and a link that leads back to the top."""
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "again").symlink_to(tmp_path / "data")
    with pytest.raises(KpstraError, match=f"no file in it; --layout {layout} expects"):
        choose(layout, tmp_path / "data")
    for inner in (EXAMPLES / folder).iterdir():
        if inner.is_dir():
            (tmp_path / "data" / inner.name).symlink_to(inner)
    assert detect(tmp_path / "data") == detect(EXAMPLES / folder) and detect(tmp_path / "data")[1]
    assert choose(layout, tmp_path / "data").name == layout


def test_the_depth_of_files_behind_links_is_told(tmp_path):
    (tmp_path / "sils").mkdir()
    (tmp_path / "sils" / "all").symlink_to(RAW / "2D_Silhouettes")
    with pytest.raises(KpstraError, match=r"wrong layout, for example all/0001/camid1_videoid0/.*give a folder deeper"):
        GAIT3D.sequences(tmp_path / "sils")


def test_ones_own_people_in_a_folder_train(tmp_path):
    """They look like GREW's; the advice is taken, and the joints are found."""
    frames = sorted((RAW / "2D_Silhouettes" / NAME).iterdir())
    for kind, suffix in (("2D_Silhouettes", ".png"), ("2D_Poses", ".txt")):
        (tmp_path / kind / "train" / "anna" / "walk").mkdir(parents=True)
        for number, frame in enumerate(frames):
            shutil.copy(
                RAW / kind / NAME / f"{frame.stem}{suffix}", tmp_path / kind / f"train/anna/walk/{number:03d}{suffix}"
            )
    silhouettes, poses = tmp_path / "2D_Silhouettes", tmp_path / "2D_Poses"
    with pytest.raises(KpstraError, match=r"looks like the layout grew.*or --layout gait3d if"):
        choose(None, silhouettes)
    report = prepare(silhouettes, poses, tmp_path / "out", workers=1, layout="gait3d")
    assert report["frames"] == len(frames) and not any(report["frames with all joints absent"].values())


@pytest.mark.parametrize("folder", ["grew", "oumvlp_pose/OUMVLP-raw"])
def test_other_releases_are_not_ones_own(folder):
    """GREW's have its pose files beside them, and OUMVLP's folders are of another depth."""
    found = detect(EXAMPLES / folder)[0]
    assert found in (LAYOUTS["grew"], LAYOUTS["oumvlp"])
    with pytest.raises(KpstraError, match=f"which looks like --layout {found.name}; --layout gait3d expects"):
        choose("gait3d", EXAMPLES / folder)
