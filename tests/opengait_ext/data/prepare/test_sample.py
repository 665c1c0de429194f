"""Folders as users have them: a mistake that runs through a release ends `prepare` before it writes anything."""

import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
from walking_body import MISTAKES, RAW

from opengait_ext.data.prepare import prepare
from opengait_ext.data.prepare.sample import findings
from opengait_ext.data.safe_pickle import read_array
from plugins.errors import KpstraError

NAMES = ("0001/camid1_videoid0/seq0", "0003/camid1_videoid2/seq0")
SILHOUETTES, POSES = "2D_Silhouettes", "2D_Poses"


@pytest.fixture
def raw(tmp_path):
    for kind in (SILHOUETTES, POSES):
        for name in NAMES:
            shutil.copytree(RAW / kind / name, tmp_path / kind / name)
    return tmp_path


def run(raw, output="out"):
    return prepare(raw / SILHOUETTES, raw / POSES, raw / output, workers=1)


def files(raw, kind):
    return sorted(path for path in (raw / kind).rglob("*") if path.is_file())


def change_poses(raw, change, lead=None):
    """Rewrite every pose file; ``change`` takes (17, 3) joints and the image."""
    for pose, silhouette in zip(files(raw, POSES), files(raw, SILHOUETTES), strict=True):
        values = [float(value) for value in pose.read_text().split(",") if value.strip()]
        image = cv2.imread(str(silhouette), cv2.IMREAD_GRAYSCALE)
        joints = change(np.array(values[2:]).reshape(17, 3), image)
        pose.write_text(",".join(map(str, [*(lead or values[:2]), *np.ravel(joints)])))


def change_images(raw, change):
    for path in files(raw, SILHOUETTES):
        cv2.imwrite(str(path), change(cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)))


def refused(raw):
    with pytest.raises(KpstraError) as caught:
        run(raw)
    assert "\n" not in str(caught.value) and not (raw / "out").exists()
    return str(caught.value)


@pytest.mark.parametrize("mistake", MISTAKES)
def test_poses_of_another_order_or_frame(raw, mistake):
    change, cause = MISTAKES[mistake]
    change_poses(raw, change)
    said = refused(raw)
    assert (
        cause in said and "in 2 sequences looked at" in said and "human_crop_f00108: image 38 wide and 87 high" in said
    )


@pytest.mark.parametrize(
    ("joints", "said"),
    [
        (18, "56 values, as of OpenPose's 18 joints; COCO's 17 are needed"),
        (25, "77 values, as of OpenPose's 25 joints"),
        (26, "80 values, as of Halpe's 26 joints"),
        (17.5, "55 values, expected 53"),
    ],
)
def test_other_joint_sets(raw, joints, said):
    change_poses(raw, lambda _, __: np.ones(int(joints * 3) + (joints == 17.5)))
    assert "usable pose: 0.0%" in (message := refused(raw)) and said in message


def test_poses_without_their_two_numbers(raw):
    for path in files(raw, POSES):
        path.write_text(",".join(path.read_text().split(",")[2:]))
    assert "51 values, the two in front, width and height, are missing" in refused(raw)


@pytest.mark.parametrize(
    ("change", "said"),
    [(lambda image: image // 255, "the greatest value is 1"), (lambda image: 255 - image, "seem to be inverted")],
)
def test_other_silhouettes(raw, change, said):
    change_images(raw, change)
    assert said in refused(raw)


@pytest.mark.parametrize("colour", [0, 255])
def test_people_in_the_alpha_channel(raw, colour):
    change_images(raw, lambda image: np.dstack([np.full((*image.shape, 3), colour, np.uint8), image]))
    assert "the person is in the pictures' alpha channel, which is not read; write it as grey" in refused(raw)


def test_people_in_all_channels_are_prepared(raw):
    change_images(raw, lambda image: np.dstack([image] * 4))
    assert run(raw)["warnings"] == []


def test_no_silhouette_can_be_used(raw):
    for path in files(raw, SILHOUETTES):
        path.write_bytes(b"")
    assert "none of 2 sequences looked at has a usable frame" in refused(raw)


def test_scores_in_percent_are_told_and_prepared(raw, capsys):
    change_poses(raw, lambda joints, _: joints * [1, 1, 100])
    report = run(raw)
    assert "warning: scores above 1.5" in capsys.readouterr().err
    assert report["warnings"] and "scores above 1.5" in report["warnings"][0]


def test_a_byte_order_mark_is_no_value(raw):
    run(raw, "straight")
    for path in files(raw, POSES):
        path.write_text(path.read_text(), encoding="utf-8-sig")
    assert run(raw)["frames with all joints absent"]["broken"] == 0
    for name in NAMES:
        ours, straight = (raw / folder / name / "1_keypoints.pkl" for folder in ("out", "straight"))
        assert ours.read_bytes() == straight.read_bytes()


@pytest.mark.parametrize("value", ["1.5.2", "nan", "-", "ä" * 30])
def test_a_value_that_is_no_number_is_named(raw, value):
    for path in files(raw, POSES):
        values = path.read_text().split(",")
        path.write_text(",".join([*values[:7], value, *values[8:]]), encoding="utf-8")
    assert f"not finite: value 8 of 53 is '{value[:10]}" in refused(raw)


def test_poses_of_less_than_half_of_the_frames(raw, capsys):
    """A pose in half of the frames is doubtful, in fewer is refused; so at the end as well."""
    for path in files(raw, POSES)[::2]:
        path.unlink()
    assert run(raw)["frames with all joints absent"]["missing"] == 20
    assert "warning: frames with a usable pose: 50.0% of 16 (8 missing)" in capsys.readouterr().err
    for total, stops in ((20, False), (21, True)):
        verdict = next(findings({"frames": 40, "poses missing": total, "images": 0, "images inverted": 0}))
        assert verdict.stops == stops and not verdict.well
    for path in files(raw, POSES)[::2]:
        path.unlink()
    with pytest.raises(KpstraError, match=r"usable pose: \d+\.\d% of 16 \(\d+ missing\)"):
        run(raw, "fewer")


def test_poses_without_scores_are_refused(raw):
    change_poses(raw, lambda joints, _: joints * [1, 1, 0])
    said = refused(raw)
    assert "usable pose: 0.0% of 16 (16 no score)" in said and "write 1 as the score of every joint" in said


def test_low_scores_are_told_and_prepared_but_not_shares_with_low_scores(raw, capsys):
    change_poses(raw, lambda joints, _: joints * [1, 1, 0.4])
    report = run(raw)
    assert "warning: no joint has a score of 0.5 or more in 16 of 16 frames" in capsys.readouterr().err
    assert "no joint has a score of 0.5 or more in " in report["warnings"][0] and len(report["warnings"]) == 1
    shutil.rmtree(raw / "out")
    change_poses(raw, lambda joints, image: joints / [*image.shape[::-1], 1])
    assert "they seem to be shares of the image" in refused(raw)


@pytest.mark.parametrize("factor", [(2, 2), (0.5, 0.5), (2, 1)])
def test_poses_of_a_crop_of_another_size(raw, factor):
    """Joints go with the ratio of the sizes, so that they end where they would without."""
    run(raw, "straight")
    for path, image in zip(files(raw, POSES), files(raw, SILHOUETTES), strict=True):
        values = np.array([float(value) for value in path.read_text().split(",") if value.strip()])
        height, width = cv2.imread(str(image)).shape[:2]
        joints = values[2:].reshape(17, 3) * [*factor, 1] + [*(np.array(factor) / 2 - 0.5), 0]
        path.write_text(",".join(map(str, [width * factor[0], height * factor[1], *joints.ravel()])))
    report = run(raw)
    assert report["poses scaled from a crop of another size"] == 40 and report["warnings"] == []
    for name in NAMES:
        ours, straight = (read_array(raw / folder / name / "1_keypoints.pkl") for folder in ("out", "straight"))
        np.testing.assert_allclose(ours, straight, atol=1e-3)


def test_files_are_in_opengait_s_order_and_joints_filled_in_along_the_numbers(raw):
    """OpenGait sorts names as text, frame_10 before frame_9; what is next to a frame in time its number says."""
    run(raw, "straight")
    gone = [sorted((raw / POSES / name).iterdir())[5] for name in NAMES]  # frame_10, which has to be filled in
    for path in gone:
        path.unlink()
    run(raw, "filled")
    numbers = {}
    for name in NAMES:
        stems = sorted(path.stem for path in (raw / SILHOUETTES / name).iterdir())
        numbers[name] = {stem: number for number, stem in enumerate(stems, 5)}
        for path in [*(raw / SILHOUETTES / name).iterdir(), *(raw / POSES / name).iterdir()]:
            path.rename(path.with_name(f"frame_{numbers[name][path.stem]}{path.suffix}"))
    report = run(raw)
    assert report["sequences ordered as text, not by number"] == 2
    for name in NAMES:
        as_text = sorted(numbers[name].values(), key=str)
        assert as_text[0] == 10 and as_text != sorted(as_text)
        for file in ("0_sil.pkl", "1_keypoints.pkl"):
            by_number = read_array(raw / "filled" / name / file)
            np.testing.assert_array_equal(read_array(raw / "out" / name / file), by_number[np.array(as_text) - 5])
        straight = read_array(raw / "straight" / name / "1_keypoints.pkl")
        filled = read_array(raw / "out" / name / "1_keypoints.pkl")[0]
        assert not filled[:, 2].any()
        neighbours = (straight[4, :, :2] + straight[6, :, :2]) / 2
        seen = (straight[4:7, :, 2] > 0).all(0)
        np.testing.assert_allclose(filled[seen, :2], neighbours[seen], atol=1e-3)


def test_other_files_and_suffixes(raw):
    """Hidden files, folders' lists of other systems, upper-case suffixes, names with dashes and spaces."""
    run(raw, "straight")
    for kind in (SILHOUETTES, POSES):
        for folder in (raw / kind, raw / kind / "0001", *(raw / kind / name for name in NAMES)):
            for stray in (
                ".DS_Store",
                "Thumbs.db",
                "desktop.ini",
                "._human_crop_f00108.png",
                "._human_crop_f00108.txt",
            ):
                (folder / stray).write_bytes(b"\0\1")
        (raw / kind / ".cache" / "a" / "b").mkdir(parents=True)
        (raw / kind / "0001").rename(raw / kind / "an id-with dashes")
    for number, path in enumerate(p for kind in (SILHOUETTES, POSES) for p in files(raw, kind) if p.name[0] == "h"):
        if number % 3 == 0:
            path.rename(path.with_suffix(path.suffix.upper()))
    report = run(raw)
    assert report["sequences"] == 2 and report["frames"] == 40
    assert sum(report["frames with all joints absent"].values()) == 0
    for name in NAMES:
        moved = Path("out", name.replace("0001", "an id-with dashes"))
        for file in ("0_sil.pkl", "1_keypoints.pkl"):
            np.testing.assert_array_equal(read_array(raw / moved / file), read_array(raw / "straight" / name / file))
