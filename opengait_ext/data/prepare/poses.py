"""Joints: reading a pose file of Gait3D's raw release, taking joints along, and filling in the absent ones."""

from __future__ import annotations

import codecs
import math
from pathlib import Path

import numpy as np

from plugins.keypoints.joints import JOINTS, resized

from .files import read_bytes

VALUES = 2 + 3 * JOINTS

POSE_RULES = {
    "missing": "no pose file",
    "broken": "unparsable, wrong number of values, or values that are not finite",
    "all_zero": "all zero",
    "no_score": "no joint has a score above 0",
    "nobody": "no person in the pose file",
    "beside": "no person's joints lie on the silhouette",
}
BOX_RULES = {"no_body_box": "no confident head joint, ankle or torso joint to align the frame by"}


def read_pose(path: str | Path, size: tuple[int, int] | None = None) -> tuple[np.ndarray | None, str]:
    """Read a pose file: width and height of the crop that the pose network saw, and 17 x (x, y, score) in its pixels.

    Args:
        size: width and height of the silhouette; where the crop's differ, the joints are scaled to it.

    Returns:
        (17, 3), and ``scaled`` if the joints were, else nothing; or ``None`` and the rule in :data:`POSE_RULES`.
    """
    try:
        values = list(map(float, pose_values(path)))
    except FileNotFoundError:
        return None, "missing"
    except (OSError, ValueError):
        return None, "broken"
    if len(values) != VALUES or not all(map(math.isfinite, values)):
        return None, "broken"
    if not any(values[2:]):
        return None, "all_zero"
    crop, joints = values[:2], np.array(values[2:]).reshape(JOINTS, 3)
    if size is None or min(crop) <= 0 or sorted(crop) == sorted(size):  # or height first, as GREW has it
        return joints, ""
    return resized(joints, crop[::-1], size[::-1]), "scaled"


def pose_values(path: str | Path) -> list[bytes]:
    """Return a pose file's values, as they are written; a byte-order mark is none of them."""
    return read_bytes(path).removeprefix(codecs.BOM_UTF8).replace(b",", b" ").split()


def place(poses: np.ndarray, placements: np.ndarray) -> np.ndarray:
    """Take (T, 17, 3) joints in raw pixels along with the silhouettes; ``placements`` is (T, 4)."""
    poses = poses.copy()
    poses[..., :2] = poses[..., :2] * placements[:, None, :2] + placements[:, None, 2:]
    return poses


def fill_absent(keypoints: np.ndarray, size: tuple[int, int]) -> tuple[np.ndarray, int]:
    """Give each absent joint score 0 and a position.

    A joint is absent where its score is not above 0, its coordinates are not finite, or it lies farther outside the
    image than the image is wide or high. Its position is interpolated
    linearly in time between the nearest frames that have it, and is that of the nearest one at the ends. A joint that
    no frame has goes to the mean of the frame's other joints, or to the image's centre if there are none.

    Args:
        keypoints: (T, 17, 3) x, y, score in pixels of the prepared image.
        size: height and width of that image.

    Returns:
        (T, 17, 3) float32, all finite, and the number of absent joints.
    """
    with np.errstate(over="ignore"):
        filled = keypoints.astype(np.float32)
    extent = np.float32([size[1], size[0]])
    with np.errstate(invalid="ignore"):
        near = (filled[..., :2] >= -extent).all(-1) & (filled[..., :2] <= 2 * extent).all(-1)  # of NaN: false
    present = near & np.isfinite(filled[..., 2]) & (filled[..., 2] > 0)  # T, 17
    if present.all():
        return filled, 0
    filled[~present] = 0
    frames = np.arange(len(filled))
    ever = present.any(0)
    for joint in np.flatnonzero(ever & ~present.all(0)):
        there = present[:, joint]
        for axis in (0, 1):
            filled[~there, joint, axis] = np.interp(frames[~there], frames[there], filled[there, joint, axis])
    if not ever.all():
        centre = np.array([(size[1] - 1) / 2, (size[0] - 1) / 2])
        filled[:, ~ever, :2] = filled[:, ever, :2].mean(1, keepdims=True) if ever.any() else centre
    return filled, int((~present).sum())
