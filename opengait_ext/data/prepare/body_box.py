"""Where joints of an unknown pixel frame lie in a prepared silhouette: guessed from the body, frame by frame."""

from __future__ import annotations

import warnings

import numpy as np

from plugins.keypoints.joints import CONFIDENT

from .poses import place

HEAD, ANKLES, TORSO = slice(0, 5), slice(15, 17), [5, 6, 11, 12]
HEAD_AT, ANKLE_AT = 0.089, 0.917  # of the height; means over the exact keypoints of 1089 real frames


def body_box_placements(poses: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Guess where the silhouette pipeline put each frame.

    Args:
        poses: (T, 17, 3) x, y, score in raw pixels.
        size: height and width of the prepared image.

    Returns:
        (T, 4) scale x, scale y, offset x, offset y, as :class:`.silhouettes.Placement`; NaN where it cannot be told.
    """
    height, width = size
    sure = (poses[..., 2] >= CONFIDENT) & np.isfinite(poses).all(-1)
    x, y = (np.where(sure, poses[..., axis], np.nan) for axis in (0, 1))  # T, 17
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # the mean of no joints is NaN, and means "cannot be told"
        head, ankle = np.nanmean(y[:, HEAD], 1), np.nanmax(y[:, ANKLES], 1)
        torso = np.nanmean(x[:, TORSO], 1)
    upright = np.where(ankle > head, ankle - head, np.nan)
    scale = (ANKLE_AT - HEAD_AT) * height / upright
    placements = np.stack([scale, scale, width / 2 - torso * scale, HEAD_AT * height - head * scale], 1)
    placements[~np.isfinite(placements).all(1)] = np.nan
    return placements


def align_frame(image: np.ndarray, joints: np.ndarray) -> np.ndarray:
    """Guess where the joints (17, 3) of one frame are in its silhouette (H, W); NaN where it cannot be told."""
    return place(joints[None], body_box_placements(joints[None], image.shape))[0]
