"""A box that is too small at one side: a part of the person is lost, and the rest is refitted to the frame."""

from __future__ import annotations

import cv2
import numpy as np

from plugins.benchmarks.walkers import Alignment, alignment_errors, displace

from ...data.prepare.silhouettes import middle_column

SIDES = ("top", "bottom", "left", "right")
LARGEST = 0.8  # share of the person that may be lost


def crop(silhouettes: np.ndarray, keypoints: np.ndarray, share: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Cut a part of the person off and refit what is left.

    Args:
        silhouettes: (T, H, W) uint8.
        keypoints: (T, L, 3) x, y in pixels, score.
        share: standard deviation of the part of the person's height or width that is lost.
        seed: of the side, one for the sequence, and of the shares, which change from frame to frame.

    Returns:
        Arrays like those given; joints beyond the cut go along with the rest and keep their scores.
    """
    side = SIDES[np.random.default_rng([seed, 4]).integers(len(SIDES))]
    shares = np.abs(alignment_errors(Alignment(translation=share), seed, len(silhouettes))[:, 0]).clip(max=LARGEST)
    left = np.stack([cut(image, side, part) for image, part in zip(silhouettes, shares, strict=True)])
    return displace(left, keypoints, np.stack([refit(*pair) for pair in zip(silhouettes, left, strict=True)]))


def cut(image: np.ndarray, side: str, share: float) -> np.ndarray:
    """Blank a share of the person's box at one side; whole rows or columns."""
    x, y, width, height = cv2.boundingRect(image)
    rows, columns = round(share * height), round(share * width)
    image = image.copy()
    lost = {
        "top": np.s_[: y + rows],
        "bottom": np.s_[y + height - rows :],
        "left": np.s_[:, : x + columns],
        "right": np.s_[:, x + width - columns :],
    }
    image[lost[side]] = 0
    return image


def refit(whole: np.ndarray, left: np.ndarray) -> np.ndarray:
    """Return the errors (4,) of ``walkers.displace`` that give what is left the whole's place in the frame.

    As in preparation: the top row and the height are those of the whole person, and the column that halves the mass.
    """
    if not left.any():
        return np.array([0.0, 0.0, 1.0, 0.0])
    (_, top, _, height), (_, new_top, _, new_height) = cv2.boundingRect(whole), cv2.boundingRect(left)
    scale = height / new_height
    middle = (np.array(whole.shape) - 1) / 2  # rows, columns
    y = top - 0.5 - middle[0] - scale * (new_top - 0.5 - middle[0])  # a row's upper edge is half a pixel above it
    x = middle_column(whole) - middle[1] - scale * (middle_column(left) - middle[1])
    return np.array([x / len(whole), y / len(whole), scale, 0.0])
