"""Errors of a prepared sequence: what they do to silhouettes and joints."""

from __future__ import annotations

import numpy as np

from plugins.benchmarks.robustness import Disturbance, draw_number
from plugins.benchmarks.walkers import Alignment, alignment_errors, displace
from plugins.keypoints.joints import JOINTS

from ...data.prepare.poses import fill_absent
from .crop import crop
from .occlude import occlude


def disturb(
    silhouettes: np.ndarray, keypoints: np.ndarray | None, what: Disturbance, seed: int, name: str
) -> tuple[np.ndarray, np.ndarray | None]:
    """Misalign a sequence.

    Args:
        silhouettes: (T, H, W) uint8.
        keypoints: (T, 17, 3) x, y in pixels, score; ``None`` for silhouettes alone, which come out the same.
        what: the errors' sizes.
        seed: of the draw.
        name: of the sequence; another name draws other errors.

    Returns:
        Arrays like those given.
    """
    joints = np.zeros((len(silhouettes), JOINTS, 3), np.float32) if keypoints is None else keypoints
    if what.occlusion:
        silhouettes, joints = occlude(silhouettes, joints, what.occlusion, draw_number(seed, name, "occlusion"))
    if what.crop:
        silhouettes, joints = crop(silhouettes, joints, what.crop, draw_number(seed, name, "crop"))
    if what.alignment != Alignment():
        errors = alignment_errors(what.alignment, draw_number(seed, name, "alignment"), len(silhouettes))
        silhouettes, joints = displace(silhouettes, joints, errors)
    if keypoints is None:
        return silhouettes, None
    rng = np.random.default_rng(draw_number(seed, name, "joints"))
    shifts, places = rng.standard_normal((*joints.shape[:2], 2)), rng.random(joints.shape[1])
    up = rng.random(joints.shape[1])
    height, width = silhouettes.shape[1:]
    if what.joint_noise:
        joints = joints.copy()
        joints[..., :2] += (what.joint_noise * height * shifts).astype(joints.dtype)
    if what.joint_dropout:
        joints = drop_joints(joints, what.joint_dropout, places, up, (height, width))
    return silhouettes, joints


def drop_joints(
    joints: np.ndarray, share: float, places: np.ndarray, up: np.ndarray, size: tuple[int, int]
) -> np.ndarray:
    """Take each joint (T, L, 3) from a stretch of ``share`` of the frames that begins at ``places`` (L,) in [0, 1).

    A share that is no whole number of frames is rounded up for the joints whose ``up`` (L,) in [0, 1) is below what is
    left over: in the mean over joints and sequences it is ``share``, of a single frame as well.
    """
    frames = np.arange(len(joints))[:, None]
    missing = np.floor(min(share, 1.0) * len(joints) + 1 - up - 1e-9)
    start = np.floor(places * (len(joints) - missing + 1))
    gone = (frames >= start) & (frames < start + missing)  # T, L
    return fill_absent(np.where(gone[..., None], np.float32([0, 0, 0]), joints), size)[0]
