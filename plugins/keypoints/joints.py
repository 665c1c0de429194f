"""Joint sets of pose networks and how they become COCO's 17; which joints are which part, and which change at a flip.

Sides are the person's own: a left joint is on the right of a picture taken from the front.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..errors import KpstraError

COCO17 = (
    "nose",
    "left_eye",
    "right_eye",
    "left_ear",
    "right_ear",
    "left_shoulder",
    "right_shoulder",
    "left_elbow",
    "right_elbow",
    "left_wrist",
    "right_wrist",
    "left_hip",
    "right_hip",
    "left_knee",
    "right_knee",
    "left_ankle",
    "right_ankle",
)
JOINTS = len(COCO17)
FACE, HEAD, SHOULDERS, HIPS, ANKLES = slice(0, 3), slice(0, 5), slice(5, 7), slice(11, 13), slice(15, 17)
FLIPPED_JOINTS = np.array([0, 2, 1, 4, 3, 6, 5, 8, 7, 10, 9, 12, 11, 14, 13, 16, 15])  # COCO-17, left <-> right
FLIPPED_POINTS = np.array([1, 0, 2, 4, 3])  # of the five points, image-left <-> image-right
FIVE_POINTS = 5  # of a face: image-left eye, image-right eye, nose, image-left and image-right corner of the mouth
CONFIDENT = 0.5  # the least score of a joint that is looked at
ABSENT = -1


class JointSet(NamedTuple):
    """A set that is told by its number of joints: its name, and where COCO's 17 are in it (:data:`ABSENT`: nowhere)."""

    name: str
    coco17: tuple[int, ...]


SAME = tuple(range(JOINTS))
JOINT_SETS = {
    17: JointSet("COCO's 17", SAME),
    18: JointSet("OpenPose's 18", (0, 15, 14, 17, 16, 5, 2, 6, 3, 7, 4, 11, 8, 12, 9, 13, 10)),
    21: JointSet("PoseTrack's 21", (0, ABSENT, ABSENT, *range(3, JOINTS))),  # its 1 and 2 are no eyes
    22: JointSet("SapiensID's 22", SAME),
    25: JointSet("OpenPose's 25", (0, 16, 15, 18, 17, 5, 2, 6, 3, 7, 4, 12, 9, 13, 10, 14, 11)),
    26: JointSet("Halpe's 26", SAME),
    33: JointSet("MediaPipe's 33", (0, 2, 5, 7, 8, 11, 12, 13, 14, 15, 16, 23, 24, 25, 26, 27, 28)),
    136: JointSet("Halpe's 136", SAME),
}


def to_coco17(joints: np.ndarray, where: str = "joints") -> np.ndarray:
    """Return COCO's 17 of joints (..., K, C), (..., 17, C); what a set does not have is 0.

    Args:
        joints: of a set in :data:`JOINT_SETS`, told by its length.
        where: what an error message begins with.

    Raises:
        KpstraError: no set has so many joints.

    Example:
        >>> to_coco17(np.arange(25.0)[:, None])[5:7, 0]  # BODY_25: the shoulders, left first
        array([5., 2.])
    """
    number = joints.shape[-2]
    if number not in JOINT_SETS:
        known = ", ".join(map(str, JOINT_SETS))
        raise KpstraError(f"{where}: {number} joints; the sets that become COCO's 17 have {known}")
    index = np.array(JOINT_SETS[number].coco17)
    return np.where(index[:, None] == ABSENT, 0, joints[..., index, :])


def normalised(keypoints: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Return pixels (..., 2 or more), x and y first, with x and y in [0, 1] of an image of ``size`` (height, width).

    ``(x + 0.5) / width``: whole numbers are pixel centres. What follows x and y, such as a score, stays.

    Raises:
        KpstraError: ``size`` is not two numbers above 0.
    """
    if len(size) != 2 or min(size) <= 0:
        raise KpstraError(f"normalised: size {size}: expected (height, width) in pixels")
    shares = np.array(keypoints, np.float64)
    shares[..., :2] = (shares[..., :2] + 0.5) / (size[1], size[0])
    return shares


def resized(keypoints: np.ndarray, size: tuple[int, int], target: tuple[int, int]) -> np.ndarray:
    """Return pixels (..., 2 or more) of an image of ``size`` (height, width) in those of one resized to ``target``.

    Pixel centres move as OpenCV, PIL and torchvision move them.
    """
    moved = np.array(keypoints, np.float64)
    factor = np.array([target[1] / size[1], target[0] / size[0]])
    moved[..., :2] = (moved[..., :2] + 0.5) * factor - 0.5
    return moved


def part_heights(y: np.ndarray, sure: np.ndarray) -> tuple[np.ndarray, list[np.ndarray]]:
    """How high head, hips and ankles are in some images.

    Args:
        y: (N, 17), growing downwards.
        sure: (N, 17) whether a joint is confident.

    Returns:
        Whether all three are known, (N,); and the mean y of each part's confident joints, (N,) each.
    """
    known, heights = np.ones(len(y), bool), []
    for part in (HEAD, HIPS, ANKLES):
        number = sure[:, part].sum(1)
        known &= number > 0
        heights.append((y[:, part] * sure[:, part]).sum(1) / np.maximum(number, 1))
    return known, heights
