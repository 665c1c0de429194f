"""Joints drawn into the silhouettes: the simplest way to give a network of silhouettes the pose, a rival of KP-RPE."""

from __future__ import annotations

import cv2
import numpy as np

from plugins.errors import KpstraError
from plugins.keypoints.joints import JOINTS
from plugins.pictures.overlay import LIMBS, SUBPIXEL

LEFT, MIDDLE, RIGHT = 1 / 3, 1 / 2, 2 / 3  # shares of white: seen on the person and beside it


class DrawJoints:
    """Draw COCO's skeleton into the silhouettes, in greys that tell the person's left from right; joints stay.

    Limbs to a joint of score 0 are left out. It comes last, after whatever moves silhouettes and joints.
    """

    def __call__(self, silhouettes: np.ndarray, keypoints: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Silhouettes (s, H, W), of 0 to 255 in uint8 or 0 to 1 in floats, and keypoints (s, 17, 3)."""
        if keypoints.shape[1] != JOINTS:
            raise KpstraError(f"joint_transform: DrawJoints knows COCO's 17 joints, not {keypoints.shape[1]}")
        white = 255 if silhouettes.dtype == np.uint8 else 1.0
        drawn = np.stack([draw(*frame, white) for frame in zip(silhouettes, keypoints, strict=True)])
        return drawn.astype(silhouettes.dtype), keypoints


def draw(image: np.ndarray, joints: np.ndarray, white: float) -> np.ndarray:
    """Return a frame (H, W) with the limbs of joints (17, 3) over it, one pixel wide."""
    far = 4 * max(image.shape)
    at = [tuple(map(int, point)) for point in np.rint(joints[:, :2].clip(-far, far) * 2**SUBPIXEL)]
    picture = image.astype(np.float32)
    for grey in (LEFT, MIDDLE, RIGHT):
        cover = np.zeros(image.shape, np.uint8)
        for a, b in LIMBS:
            if joints[a, 2] > 0 and joints[b, 2] > 0 and shade(a, b) == grey:
                cv2.line(cover, at[a], at[b], 255, 1, cv2.LINE_AA, SUBPIXEL)
        share = cover / np.float32(255)
        picture += share * (grey * white - picture)
    return picture


def shade(a: int, b: int) -> float:
    """Return the grey of a limb: odd joints are the person's left, the nose (0) goes with what it is joined to."""
    if a and b and (a - b) % 2:
        return MIDDLE
    return LEFT if (a or b) % 2 else RIGHT
