"""What a pose network does to joints: coarse positions, missed joints, left and right confused from the side."""

from __future__ import annotations

import numpy as np

from ...keypoints.joints import COCO17

CELLS, MARGIN = 64, 1.25  # rows of the heat map, for a box of that many times the person's height
DROPPED, HIDDEN = 0.01, 0.06  # share of joints that are missed: in full view, and of those whose score is 0.5
ASTRAY, UNSURE = 0.08, (0.05, 0.3)  # of missed ones: deviation as a share of the person's height; scores
SWAPPED, LASTING = 0.12, 4.0  # share of the frames in which a pair of limbs is swapped in profile; frames on end
PROFILE = 0.7  # |sin(azimuth)| from which sides are confused: 45 degrees
DOUBT = 0.8  # factor on the scores of swapped joints
LIMBS = (("hip", "knee", "ankle"), ("shoulder", "elbow", "wrist"))  # each swaps as a whole


def pose_errors(joints: np.ndarray, height: float, profile: np.ndarray, amount: float, seed: int) -> np.ndarray:
    """Return joints as a pose network would find them.

    In this order: the sides of legs or arms are swapped for some frames; joints are missed, hidden ones more often:
    they go astray and their score says so; and every position is rounded to half a cell of the heat map, which is laid
    over the person's box: 1.25 / 128 of the person's height, about 0.6 of 64 pixels.

    Args:
        joints: (T, 17, 3) x, y in pixels, score.
        height: of the person in pixels.
        profile: (T,) sine of the azimuth: 1 and -1 seen from the side, 0 from the front or back.
        amount: factor on all rates and on the size of a cell; 0 changes nothing, 1 is a pose network's.
        seed: of the errors.
    """
    found = joints.copy()
    if not amount:
        return found
    rng = np.random.default_rng([seed, 12])
    half = amount * MARGIN * height / CELLS / 2
    corner = half * rng.random((len(joints), 1, 2))  # of some cell: boxes move from frame to frame
    chance = amount * SWAPPED * ((np.abs(profile) - PROFILE) / (1 - PROFILE)).clip(0, 1)
    for limb in LIMBS:
        swapped = _spells(chance, rng)
        for joint in limb:
            left, right = COCO17.index(f"left_{joint}"), COCO17.index(f"right_{joint}")
            found[np.ix_(swapped, [left, right])] = joints[np.ix_(swapped, [right, left])]
            found[np.ix_(swapped, [left, right], [2])] *= DOUBT
    hidden = ((1 - joints[..., 2]) / 0.5).clip(0, 1)
    missed = rng.random(joints.shape[:2]) < amount * (DROPPED + (HIDDEN - DROPPED) * hidden)
    astray, unsure = rng.normal(0, ASTRAY * height, found[..., :2].shape), rng.uniform(*UNSURE, missed.shape)
    found[missed, :2] += astray[missed]
    found[missed, 2] = np.minimum(found[..., 2], unsure)[missed]
    found[..., :2] = corner + np.rint((found[..., :2] - corner) / half) * half
    return found


def _spells(chance: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return frames (T,) bool, ``LASTING`` or so on end, each with about its chance."""
    begins = rng.random(len(chance)) < chance / LASTING
    lengths = rng.geometric(1 / LASTING, len(chance))
    spells = np.zeros(len(chance), bool)
    for first in np.flatnonzero(begins):
        spells[first : first + lengths[first]] = True
    return spells
