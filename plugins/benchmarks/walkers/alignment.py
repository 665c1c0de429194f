"""Misalignment: the person is shifted, scaled and turned inside the frame, and the joints with it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

LIMIT = 2.0  # standard deviations at which errors are cut
JITTER = 0.35  # share of an error that changes from frame to frame; the rest is one error for the whole sequence


@dataclass(frozen=True)
class Alignment:
    """Standard deviations of the errors; all are cut at two of them."""

    translation: float = 0.0  # share of the frame's height, in x and in y
    scale: float = 0.0  # of the logarithm of the size
    rotation: float = 0.0  # degrees

    @classmethod
    def of(cls, severity: float) -> Alignment:
        """Errors of all three kinds; 1 is strong: 8 % of the height, 15 % of the size, 12 degrees."""
        return cls(0.08 * severity, 0.15 * severity, 12.0 * severity)


def alignment_errors(alignment: Alignment, seed: int, frames: int) -> np.ndarray:
    """Draw the errors of a sequence.

    Returns:
        (T, 4): x and y as shares of the frame's height, factor on the size, angle in radians, clockwise as seen.
    """
    rng = np.random.default_rng([seed, 3])
    common, each = rng.standard_normal((1, 4)), rng.standard_normal((frames, 4))
    unit = ((1 - JITTER**2) ** 0.5 * common + JITTER * each).clip(-LIMIT, LIMIT)
    errors = unit * (alignment.translation, alignment.translation, alignment.scale, np.radians(alignment.rotation))
    errors[:, 2] = np.exp(errors[:, 2])
    return errors


def similarities(errors: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Turn errors (T, 4) into matrices (T, 2, 3) on pixels of frames (height, width), about the frame's centre."""
    centre = np.array([(size[1] - 1) / 2, (size[0] - 1) / 2])
    cos, sin = errors[:, 2] * np.cos(errors[:, 3]), errors[:, 2] * np.sin(errors[:, 3])
    linear = np.stack([np.stack([cos, -sin], -1), np.stack([sin, cos], -1)], 1)  # T, 2, 2
    offset = centre + errors[:, :2] * size[0] - linear @ centre
    return np.concatenate([linear, offset[:, :, None]], 2)


def move(points: np.ndarray, matrices: np.ndarray) -> np.ndarray:
    """Apply (T, 2, 3) to (T, N, 2) points."""
    return points @ matrices[:, :, :2].transpose(0, 2, 1) + matrices[:, None, :, 2]


def displace(silhouettes: np.ndarray, keypoints: np.ndarray, errors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Misalign finished frames: the pixels, and the joints with them.

    Args:
        silhouettes: (T, H, W) uint8.
        keypoints: (T, 17, 3) x, y in pixels, score.
        errors: (T, 4) of :func:`alignment_errors`.

    Returns:
        Arrays like those given; a joint may leave the frame, its score stays.
    """
    import cv2

    matrices = similarities(errors, silhouettes.shape[1:])
    images = np.empty(silhouettes.shape, silhouettes.dtype)
    for image, matrix, out in zip(silhouettes, matrices, images, strict=True):
        cv2.warpAffine(image, matrix, image.shape[::-1], dst=out, flags=cv2.INTER_LINEAR)
    joints = keypoints.copy()
    joints[..., :2] = move(keypoints[..., :2].astype(float), matrices)
    return images, joints
