"""OUMVLP's frames of several people: the one on the silhouette counts, and nobody where nobody is on it."""

import json

import cv2
import numpy as np
import pytest

from opengait_ext.data.prepare import prepare
from opengait_ext.data.prepare.layouts import LAYOUTS
from opengait_ext.data.prepare.sequence import prepare_sequence
from opengait_ext.data.safe_pickle import read_array
from plugins.errors import KpstraError
from plugins.keypoints.joints import JOINT_SETS

SIZE = (98, 128)
OUMVLP = LAYOUTS["oumvlp"]
TOP, LEFT, HEIGHT, WIDTH = 20, 50, 60, 20  # the silhouette's box
BODY = np.array(  # COCO's 17 as shares of that box, seen from the front
    [[0.5, 0.05], [0.6, 0.03], [0.4, 0.03], [0.7, 0.05], [0.3, 0.05], [0.9, 0.2], [0.1, 0.2], [0.95, 0.35],
     [0.05, 0.35], [0.95, 0.5], [0.05, 0.5], [0.7, 0.5], [0.3, 0.5], [0.7, 0.75], [0.3, 0.75], [0.7, 0.95], [0.3, 0.95]]
)  # fmt: skip
THERE = np.concatenate([BODY * [WIDTH, HEIGHT] + [LEFT, TOP], np.full((17, 1), 0.9)], 1)
AWAY, LOW, ABSENT = THERE + np.array([40, 0, 0]), THERE * [1, 1, 0.3], THERE * 0
ARM = np.where(np.isin(np.arange(17), [7, 9])[:, None], THERE, AWAY)  # a bystander who reaches before the silhouette


def silhouette():
    image = np.zeros(SIZE, np.uint8)
    image[TOP : TOP + HEIGHT, LEFT : LEFT + WIDTH] = 255
    return image


def person(joints):
    result = np.zeros((18, 3))
    result[list(JOINT_SETS[18].coco17)] = joints
    return {"pose_keypoints_2d": result.ravel().tolist()}


NO_JOINTS = {"pose_keypoints_2d": [1.0] * 5}
TEXT, NAN = {"pose_keypoints_2d": ["x"] * 54}, {"pose_keypoints_2d": [float("nan")] * 54}
BROKEN = [NO_JOINTS, TEXT, NAN, {}, None, 7, {"pose_keypoints_2d": [1.0] * 48}]


def read(tmp_path, people):
    path = tmp_path / "0001.json"
    path.write_text(json.dumps({"people": people}))
    return OUMVLP.read(path, silhouette())


@pytest.mark.parametrize(
    ("people", "chosen"),
    [
        ([AWAY, THERE], 1),
        ([AWAY, LOW], 1),  # whose scores are all below what counts as confident elsewhere
        ([ARM, LOW], 1),
        ([LOW, THERE], 1),  # one person found twice
        ([ABSENT, AWAY, THERE, ARM], 2),
    ],
)
def test_the_person_on_the_silhouette_counts(tmp_path, people, chosen):
    joints, rule = read(tmp_path, list(map(person, people)))
    np.testing.assert_allclose(joints, people[chosen])
    assert rule == ""


@pytest.mark.parametrize("people", [[AWAY], [AWAY, AWAY * [1, 0.9, 1]], [ABSENT, AWAY]])
def test_nobody_on_the_silhouette(tmp_path, people):
    assert read(tmp_path, list(map(person, people)))[1] == "beside"


@pytest.mark.parametrize("broken", BROKEN)
def test_people_who_cannot_be_read_are_left_out_one_by_one(tmp_path, broken):
    joints, rule = read(tmp_path, [broken, person(AWAY), broken, person(THERE)])
    np.testing.assert_allclose(joints, THERE)
    assert rule == "" and read(tmp_path, [broken, broken]) == (None, "broken")


@pytest.mark.parametrize(
    ("people", "rule"), [([], "nobody"), ([person(ABSENT)], "all_zero"), ([person(THERE * [1, 1, 0])], "all_zero")]
)
def test_other_frames_without_a_pose(tmp_path, people, rule):
    assert read(tmp_path, people) == (None, rule)


def write(root, people, images=()):
    """One sequence: the joints of everybody in each frame, and other silhouettes for the first frames."""
    sils, poses = root / "sils/Silhouette_000-00/00001", root / "poses/00001/000_00"
    for folder in (sils, poses):
        folder.mkdir(parents=True)
    for i, (joints, image) in enumerate(zip(people, [*images, *[silhouette()] * len(people)], strict=False)):
        cv2.imwrite(str(sils / f"{i:04d}.png"), image)
        (poses / f"{i:04d}_keypoints.json").write_text(json.dumps({"people": [*map(person, joints)]}))
    return sils, root / "poses"


def test_frames_with_a_bystander_alone_are_counted_and_filled_in(tmp_path):
    """Two of 30; their joints are those of the frames around, with a score of 0."""
    people = [[THERE]] * 30
    people[5] = people[20] = [AWAY]
    write(tmp_path, people)
    report = prepare(tmp_path / "sils", tmp_path / "poses", tmp_path / "out", workers=1, layout="oumvlp")
    assert report["frames with all joints absent"]["beside"] == 2 and report["frames"] == 30
    joints = read_array(tmp_path / "out/00001/00/000/1_keypoints.pkl")
    assert not joints[[5, 20], :, 2].any()
    np.testing.assert_allclose(joints[[5, 20], :, :2], joints[[4, 19], :, :2], atol=1e-4)


def test_an_empty_silhouette_is_its_frames_fault_and_not_the_poses(tmp_path, capsys):
    """Such frames are dropped, and the person in them is not counted as beside anything, in the first look either."""
    images = [silhouette() * 0] * 4
    sils, poses = write(tmp_path, [[THERE]] * 8, images)
    _, joints, counts = prepare_sequence(sils, OUMVLP.poses(poses, "00001/00/000"), 64, OUMVLP)
    assert len(joints) == 4 and counts["frames nearly_empty"] == 4
    assert not any(counts[key] for key in counts if key.startswith("poses "))
    prepare(tmp_path / "sils", poses, tmp_path / "out", workers=1, layout="oumvlp")
    assert capsys.readouterr().err.count("warning") == 0


@pytest.mark.parametrize(
    ("factor", "said"),
    [([1 / 128, 1 / 98, 1], "they seem to be shares of the image"), ([3, 3, 1], "different pixel frames")],
)
def test_poses_that_all_lie_beside_are_refused_with_the_likely_cause(tmp_path, factor, said):
    write(tmp_path, [[THERE * factor]] * 8)
    with pytest.raises(KpstraError, match=rf"usable pose: 0\.0% of 8 \(8 beside\).*; .*{said}.* joints from x"):
        prepare(tmp_path / "sils", tmp_path / "poses", tmp_path / "out", workers=1, layout="oumvlp")
    assert not (tmp_path / "out").exists()
