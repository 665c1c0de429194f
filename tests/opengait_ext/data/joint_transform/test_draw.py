"""Joints drawn into silhouettes: where, in which grey, and which are left out."""

import cv2
import numpy as np
import pytest

from opengait_ext.data.joint_transform import build_joint_transform
from opengait_ext.data.joint_transform.draw import LEFT, MIDDLE, RIGHT, shade
from plugins.errors import KpstraError
from plugins.keypoints.joints import COCO17
from plugins.pictures.overlay import LIMBS

DRAW = build_joint_transform([{"type": "DrawJoints"}], "test")


def pose(*names):
    """Joints far apart on whole pixels; those named have score 1."""
    places = np.stack([np.arange(17) * 3 + 6, (np.arange(17) * 29) % 56 + 4], 1)
    scores = [1.0 if name in names else 0.0 for name in COCO17]
    return np.column_stack([places, scores]).astype(np.float32)[None]


def test_a_limb_lies_between_its_joints_in_its_sides_grey():
    black, white = np.zeros((1, 64, 64), np.uint8), np.full((1, 64, 64), 255, np.uint8)
    for names, grey in (
        (("left_knee", "left_ankle"), LEFT),
        (("right_elbow", "right_wrist"), RIGHT),
        (("left_hip", "right_hip"), MIDDLE),
        (("nose", "left_eye"), LEFT),
    ):
        joints = pose(*names)
        line = np.zeros((64, 64), np.uint8)
        a, b = (tuple(map(int, point[:2])) for point in joints[0] if point[2] > 0)
        cv2.line(line, a, b, 255)
        for canvas in (black, white):
            (found,), same = DRAW(canvas, joints)
            assert same is joints
            changed = found != canvas[0]
            assert changed[line > 0].mean() > 0.95 and changed.sum() < 4 * (line > 0).sum()
            deepest = found.max() if canvas is black else found.min()
            assert abs(int(deepest) - 255 * grey) < 20  # the greys are 42 apart


def test_floats_after_the_cut_look_as_bytes_before_it():
    rng = np.random.default_rng(0)
    silhouettes = rng.integers(0, 256, (3, 64, 64)).astype(np.uint8)
    joints = np.tile(pose(*COCO17), (3, 1, 1))
    joints[..., 0] = joints[..., 0].clip(12, 50)
    before, _ = DRAW(silhouettes, joints)
    after, _ = build_joint_transform([{"type": "BaseSilCuttingTransform"}, {"type": "DrawJoints"}], "t")(
        silhouettes, joints
    )
    assert after.shape == (3, 64, 44) and after.dtype == np.float64
    np.testing.assert_allclose(after, before[..., 10:54] / 255, atol=1 / 254)


def test_nothing_is_drawn_of_missing_joints_nor_of_those_outside():
    black = np.zeros((1, 64, 64), np.uint8)
    assert not DRAW(black, pose("left_knee"))[0].any() and not DRAW(black, pose())[0].any()
    joints = pose(*COCO17)
    joints[..., :2] += 1e6
    assert not DRAW(black, joints)[0].any()


def test_mirrored_people_are_told_apart():
    assert all({shade(a, b)} <= {LEFT, MIDDLE, RIGHT} for a, b in LIMBS)
    (left,), _ = DRAW(np.zeros((1, 64, 64), np.uint8), pose("left_hip", "left_knee"))
    joints = pose("right_hip", "right_knee")
    joints[:, [12, 14], :2] = joints[:, [11, 13], :2]
    (right,), _ = DRAW(np.zeros((1, 64, 64), np.uint8), joints)
    np.testing.assert_array_equal(left > 10, right > 20)
    assert (right[left > 10] > left[left > 10]).all()


def test_other_joints_than_cocos_are_refused():
    with pytest.raises(KpstraError, match="knows COCO's 17 joints, not 5"):
        DRAW(np.zeros((1, 64, 64), np.uint8), np.zeros((1, 5, 3), np.float32))
