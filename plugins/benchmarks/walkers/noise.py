"""What segmentation does to silhouettes: ragged edges, holes, missing and added patches."""

from __future__ import annotations

import numpy as np


def spoil(silhouettes: np.ndarray, keypoints: np.ndarray, amount: float, seed: int) -> None:
    """Spoil silhouettes in place.

    Args:
        silhouettes: (T, H, W) uint8 0/255.
        keypoints: (T, 17, 3) in their pixels; patches stay with a joint for some frames.
        amount: 0 leaves them as they are, 1 is bad.
        seed: of the noise.
    """
    import cv2

    if not amount:
        return
    rng = np.random.default_rng([seed, 5])
    frames, height, width = silhouettes.shape
    reach = max(1, round(height / 80))
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1, 2 * reach + 1))
    coarse = rng.standard_normal((frames, height // 7 + 2, width // 7 + 2)).astype(np.float32)
    threshold = np.float32(1.6 - 1.2 * min(amount, 1.0))
    for image, field in zip(silhouettes, coarse, strict=True):
        field = cv2.resize(field, (width, height), interpolation=cv2.INTER_LINEAR)
        np.copyto(image, cv2.dilate(image, kernel), where=field > threshold)
        np.copyto(image, cv2.erode(image, kernel), where=field < -threshold)

    at = keypoints[..., :2]
    for t, count in enumerate(rng.poisson(1.5 * amount, frames)):
        for _ in range(count):
            radius = rng.uniform(0.008, 0.025) * height
            _blob(silhouettes[t], at[t, rng.integers(17)] + rng.normal(0, 0.04 * height, 2), (radius, radius), 0)
    for _ in range(rng.poisson(2.5 * amount * frames / 30)):
        joint, value = rng.integers(17), 0 if rng.random() < 0.6 else 255
        first, length = rng.integers(frames), rng.integers(3, 12)
        offset, radii = rng.normal(0, 0.04, 2) * height, rng.uniform(0.025, 0.065, 2) * height
        for t in range(first, min(first + length, frames)):
            _blob(silhouettes[t], at[t, joint] + offset, radii, value)


def _blob(image: np.ndarray, centre: np.ndarray, radii: tuple[float, float], value: int) -> None:
    import cv2

    x, y = (round(float(c) * 16) for c in centre)
    cv2.ellipse(image, (x, y), tuple(round(float(r) * 16) for r in radii), 0, 0, 360, value, -1, cv2.LINE_8, 4)
