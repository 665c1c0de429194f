"""COCO's 17 joints of a view, with the confidence that a pose estimator would have."""

from __future__ import annotations

import numpy as np

from ...keypoints.joints import COCO17
from .camera import View

FACE = 5  # the first five
BEST, HIDDEN = 0.95, 0.5  # scores in full view and, for a limb, behind the trunk


def coco_joints(view: View, seed: int, noise: float) -> np.ndarray:
    """Return (T, 17, 3) float64: x, y in pixels and the score.

    A joint of the face that the head hides scores about 0.2, other hidden joints about 0.5, the rest about 0.95.

    Args:
        seed: of the noise.
        noise: standard deviation of x and y in pixels.
    """
    rng = np.random.default_rng([seed, 4])
    at = np.stack([view.points[name] for name in COCO17], 1)  # T, 17, 3
    outwards = (at - view.points["head"][:, None])[..., 2]  # metres by which it lies nearer than the head's centre
    size = np.abs(at[:, 1] - at[:, 2]).max() / view.scale + 0.02
    face = 0.2 + 0.75 / (1 + np.exp(-(outwards / size + 0.5) * 12))
    trunk = (view.points["pelvis"] + view.points["chest"])[:, None] / 2
    behind = ((trunk - at)[..., 2] / 0.15).clip(0, 1)
    beside = np.abs((at - trunk)[..., 0]) / (0.16 * view.scale)
    score = BEST - (BEST - HIDDEN) * behind * (1.5 - beside).clip(0, 1)
    score[:, :FACE] = face[:, :FACE]
    at[..., 2] = (score + rng.normal(0, 0.02, score.shape)).clip(0.02, 1)
    at[..., :2] += rng.normal(0, 1, (*score.shape, 2)) * noise
    return at
