"""Something before the person: a rectangle of the silhouette is gone, and the joints behind it are missing."""

from __future__ import annotations

import cv2
import numpy as np

from ...data.prepare.poses import fill_absent

DRIFT = 0.1  # standard deviation of the place from frame to frame, in shares of the way that is free


def occlude(silhouettes: np.ndarray, keypoints: np.ndarray, share: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Cover a part of the person; the person stays where it is, as if the box had been known from what is covered too.

    Args:
        silhouettes: (T, H, W) uint8.
        keypoints: (T, L, 3) x, y in pixels, score.
        share: of the person's box that is covered, by a rectangle of the box's proportions; 1 is all of it.
        seed: of the rectangle's place in the box, one for the sequence with a small change from frame to frame.

    Returns:
        Arrays like those given; covered joints have score 0 and a place interpolated over time.
    """
    rng = np.random.default_rng([seed, 5])
    places = (rng.random(2) + DRIFT * rng.standard_normal((len(silhouettes), 2))).clip(0, 1)
    images, joints, side = silhouettes.copy(), keypoints.copy(), min(share, 1.0) ** 0.5
    for image, points, place in zip(images, joints, places, strict=True):
        box = np.array(cv2.boundingRect(image))  # x, y, width, height
        size = np.rint(side * box[2:]).astype(int)
        corner = box[:2] + np.rint(place * (box[2:] - size)).astype(int)
        (left, top), (right, bottom) = corner, corner + size
        image[top:bottom, left:right] = 0
        covered = (points[:, :2] >= corner - 0.5) & (points[:, :2] < corner + size - 0.5)
        points[covered.all(1)] = 0
    return images, fill_absent(joints, silhouettes.shape[1:])[0]
