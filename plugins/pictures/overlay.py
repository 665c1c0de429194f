"""Pictures of people with their joints: one look shows whether keypoints are where they should be."""

from __future__ import annotations

import cv2
import numpy as np

from ..keypoints.joints import JOINTS

GREY = 110
LEFT, RIGHT, MIDDLE = (60, 160, 255), (255, 170, 40), (90, 220, 90)  # BGR: the person's left orange, right blue
LIMBS = (
    (5, 7),
    (7, 9),
    (11, 13),
    (13, 15),
    (6, 8),
    (8, 10),
    (12, 14),
    (14, 16),
    (5, 6),
    (11, 12),
    (5, 11),
    (6, 12),
    (0, 1),
    (0, 2),
    (1, 3),
    (2, 4),
)
SUBPIXEL = 4  # bits of OpenCV's fixed-point coordinates


def draw_frame(image: np.ndarray, keypoints: np.ndarray, scale: int = 4) -> np.ndarray:
    """Draw COCO-17 joints and limbs over a silhouette or a crop.

    The left side is orange, the right side blue, the nose and what joins both sides green. A joint with score 0 is a
    hollow circle, and limbs to it are not drawn.

    Args:
        image: (H, W) uint8, or (H, W, 3) RGB.
        keypoints: (17, 3) x, y in pixels (integers are pixel centres) and score; of a face (5, 3), without limbs.
        scale: picture pixels of one pixel of the image.

    Returns:
        (H * scale, W * scale, 3) uint8, BGR as OpenCV has it.
    """
    size = (image.shape[1] * scale, image.shape[0] * scale)
    large = cv2.resize(np.ascontiguousarray(image), size, interpolation=cv2.INTER_NEAREST)
    if image.ndim == 3:
        picture = cv2.cvtColor(large, cv2.COLOR_RGB2BGR)
    else:
        picture = cv2.cvtColor((large.astype(np.uint16) * GREY // 255).astype(np.uint8), cv2.COLOR_GRAY2BGR)
    finite = np.isfinite(keypoints[:, :2]).all(1)
    sure = finite & (keypoints[:, 2] > 0)
    at = np.where(finite[:, None], (keypoints[:, :2] + 0.5) * scale - 0.5, 0).clip(-4 * max(size), 5 * max(size))
    at = [tuple(map(int, point)) for point in np.rint(at * 2**SUBPIXEL)]
    thick = max(1, scale // 4)
    for a, b in LIMBS if len(keypoints) == JOINTS else ():
        if sure[a] and sure[b]:
            cv2.line(picture, at[a], at[b], _colour(a, b), thick, cv2.LINE_AA, SUBPIXEL)
    for joint in np.flatnonzero(finite):
        radius, filled = round(0.7 * scale * 2**SUBPIXEL), -1 if sure[joint] else 1
        cv2.circle(picture, at[joint], radius, _colour(joint, joint), filled, cv2.LINE_AA, SUBPIXEL)
    return picture


def _colour(a: int, b: int) -> tuple[int, int, int]:
    """Odd joints are the person's left; the nose (0) takes the colour of what it is joined to."""
    if a and b and (a - b) % 2:
        return MIDDLE
    return MIDDLE if not (a or b) else LEFT if (a or b) % 2 else RIGHT
