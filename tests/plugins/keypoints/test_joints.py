"""Joint sets and their maps to COCO's 17."""

import numpy as np
import pytest
import torch

from plugins.errors import KpstraError
from plugins.keypoints.joints import COCO17, FLIPPED_JOINTS, JOINT_SETS, normalised, resized, to_coco17
from plugins.kprpe.keypoints import normalise_keypoints

# Names of the sets' joints in their own order, as their documentation lists them.
OPENPOSE18 = (
    "nose neck right_shoulder right_elbow right_wrist left_shoulder left_elbow left_wrist right_hip right_knee "
    "right_ankle left_hip left_knee left_ankle right_eye left_eye right_ear left_ear"
).split()
BODY25 = (
    "nose neck right_shoulder right_elbow right_wrist left_shoulder left_elbow left_wrist mid_hip right_hip right_knee "
    "right_ankle left_hip left_knee left_ankle right_eye left_eye right_ear left_ear"
).split()
MEDIAPIPE33 = (
    "nose left_eye_inner left_eye left_eye_outer right_eye_inner right_eye right_eye_outer left_ear right_ear "
    "mouth_left mouth_right left_shoulder right_shoulder left_elbow right_elbow left_wrist right_wrist left_pinky "
    "right_pinky left_index right_index left_thumb right_thumb left_hip right_hip left_knee right_knee left_ankle "
    "right_ankle"
).split()


@pytest.mark.parametrize(
    ("names", "number"), [(list(COCO17), 17), (OPENPOSE18, 18), (BODY25, 25), (list(COCO17), 26), (MEDIAPIPE33, 33)]
)
def test_every_joint_is_the_one_of_its_name(names, number):
    taken = to_coco17(np.arange(1.0, number + 1)[:, None])[:, 0]
    assert [names[int(joint) - 1] for joint in taken] == list(COCO17)


def test_posetracks_head_points_are_no_eyes():
    taken = to_coco17(np.ones((4, 21, 3)))
    assert not taken[:, 1:3].any() and taken[:, [0, *range(3, 17)]].all()


def test_a_number_of_joints_that_no_set_has():
    with pytest.raises(KpstraError, match=f"here: 16 joints.*{', '.join(map(str, JOINT_SETS))}"):
        to_coco17(np.zeros((16, 3)), "here")


def test_a_flip_exchanges_left_and_right():
    mirrored = [COCO17[joint] for joint in FLIPPED_JOINTS]
    exchanged = [n.replace("left", "L").replace("right", "left").replace("L", "right") for n in COCO17]
    assert mirrored == exchanged


def test_shares_are_those_of_kprpe():
    joints = np.random.default_rng(0).uniform(-5, 70, (4, 17, 3))
    found = normalised(joints, (128, 64))
    torch.testing.assert_close(torch.from_numpy(found[..., :2]), normalise_keypoints(joints, (128, 64)))
    np.testing.assert_array_equal(found[..., 2], joints[..., 2])
    with pytest.raises(KpstraError, match="expected \\(height, width\\)"):
        normalised(joints, (3, 128, 64))


def test_a_resize_keeps_shares():
    joints = np.random.default_rng(0).uniform(-5, 70, (4, 17, 3))
    moved = resized(joints, (128, 64), (384, 100))
    np.testing.assert_allclose(normalised(moved, (384, 100)), normalised(joints, (128, 64)))
