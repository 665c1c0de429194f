"""Errors of a prepared sequence: what is drawn, and what it does to silhouettes and joints."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np

from plugins.benchmarks.walkers import Alignment, alignment_errors, displace
from plugins.errors import KpstraError, one_of
from plugins.keypoints.joints import JOINTS

from ...data.prepare.poses import fill_absent
from .crop import crop
from .occlude import occlude

STRONG = Alignment.of(1)
# kind -> what severity 1 of it is, and how its axis is called
KINDS = {
    "translation": ({"translation": STRONG.translation}, "% of the frame's height", 100 * STRONG.translation),
    "scale": ({"scale": STRONG.scale}, "% of the size", 100 * STRONG.scale),
    "rotation": ({"rotation": STRONG.rotation}, "degrees", STRONG.rotation),
    "crop": ({"crop": 0.15}, "% of the person", 15.0),
    "together": (
        {"translation": STRONG.translation, "scale": STRONG.scale, "rotation": STRONG.rotation, "crop": 0.15},
        "severity",
        1.0,
    ),
    "occlusion": ({"occlusion": 0.25}, "% of the person's box", 25.0),
    "joint-noise": ({"joint_noise": 0.05}, "% of the frame's height", 5.0),
    "joint-dropout": ({"joint_dropout": 0.5}, "% of the frames", 50.0),
}


@dataclass(frozen=True)
class Disturbance:
    """Standard deviations of the errors of one point of a curve."""

    translation: float = 0.0  # share of the frame's height
    scale: float = 0.0  # of the logarithm of the size
    rotation: float = 0.0  # degrees
    crop: float = 0.0  # share of the person's height or width
    occlusion: float = 0.0  # share of the person's box; no deviation but the value itself
    joint_noise: float = 0.0  # share of the frame's height
    joint_dropout: float = 0.0  # share of the frames, for each joint; no deviation but the value itself

    @classmethod
    def of(cls, kind: str, severity: float, joint_noise: float = 0.0, joint_dropout: float = 0.0) -> Disturbance:
        """Return a kind of error at a severity; the joints' own errors, given for severity 1, are added in proportion.

        Raises:
            KpstraError: unknown kind, or an amount that is no number from 0.
        """
        one_of(kind, KINDS, "--errors")
        for option, amount in (
            ("--severities", severity),
            ("--joint-noise", joint_noise),
            ("--joint-dropout", joint_dropout),
        ):
            if not 0 <= amount < float("inf"):
                raise KpstraError(f"{option}: {amount}: expected a number from 0")
        amounts = {"joint_noise": joint_noise, "joint_dropout": joint_dropout, **KINDS[kind][0]}
        return cls(**{name: severity * amount for name, amount in amounts.items()})


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
        silhouettes, joints = occlude(silhouettes, joints, what.occlusion, _number(seed, name, "occlusion"))
    if what.crop:
        silhouettes, joints = crop(silhouettes, joints, what.crop, _number(seed, name, "crop"))
    alignment = Alignment(what.translation, what.scale, what.rotation)
    if alignment != Alignment():
        errors = alignment_errors(alignment, _number(seed, name, "alignment"), len(silhouettes))
        silhouettes, joints = displace(silhouettes, joints, errors)
    if keypoints is None:
        return silhouettes, None
    rng = np.random.default_rng(_number(seed, name, "joints"))
    shifts, places = rng.standard_normal((*joints.shape[:2], 2)), rng.random(joints.shape[1])
    height, width = silhouettes.shape[1:]
    if what.joint_noise:
        joints = joints.copy()
        joints[..., :2] += (what.joint_noise * height * shifts).astype(joints.dtype)
    if what.joint_dropout:
        joints = drop_joints(joints, what.joint_dropout, places, (height, width))
    return silhouettes, joints


def drop_joints(joints: np.ndarray, share: float, places: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Take each joint (T, L, 3) from a stretch of ``share`` of the frames that begins at ``places`` (L,) in [0, 1)."""
    frames = np.arange(len(joints))[:, None]
    missing = round(min(share, 1.0) * len(joints))
    start = np.floor(places * (len(joints) - missing + 1))
    gone = (frames >= start) & (frames < start + missing)  # T, L
    return fill_absent(np.where(gone[..., None], np.float32([0, 0, 0]), joints), size)[0]


def _number(seed: int, name: str, what: str) -> int:
    return int.from_bytes(hashlib.blake2b(f"{seed}/{name}/{what}".encode(), digest_size=7).digest(), "big")
