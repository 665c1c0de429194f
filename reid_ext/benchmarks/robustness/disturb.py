"""Errors of one crop: what is drawn, and what it does to the image and to the joints."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from plugins.benchmarks.robustness import Disturbance, draw_number
from plugins.benchmarks.walkers import Alignment, alignment_errors
from plugins.benchmarks.walkers.alignment import move, similarities

GREY = (124, 116, 104)  # ImageNet's mean, which is 0 for the network
LARGEST = 0.8  # share of the height or width that may be cut off


@dataclass(frozen=True)
class CropErrors:
    """The errors of a crop of ``size`` (height, width).

    Boxes are (left, top, right, bottom) in pixels of the crop, right and bottom beyond the last; ``matrix`` (2, 3) acts
    on pixels of what is left of it.
    """

    size: tuple[int, int]
    covered: tuple[int, int, int, int]
    colour: tuple[int, int, int]
    kept: tuple[int, int, int, int]
    matrix: np.ndarray
    joint_seed: int
    joint_noise: float  # pixels
    joint_dropout: float  # share

    @classmethod
    def draw(cls, size: tuple[int, int], what: Disturbance, seed: int, name: str) -> CropErrors:
        """Draw the errors of the crop called ``name``; another name draws others."""
        height, width = size
        rng = np.random.default_rng(draw_number(seed, name, "occlusion"))
        side = min(what.occlusion, 1.0) ** 0.5
        covered = np.rint([side * width, side * height]).astype(int)
        corner = np.rint(rng.random(2) * (np.array([width, height]) - covered)).astype(int)
        colour = tuple(int(value) for value in rng.integers(0, 256, 3))
        kept = _kept(size, what.crop, draw_number(seed, name, "crop"))
        left = (kept[3] - kept[1], kept[2] - kept[0])
        errors = alignment_errors(what.alignment, draw_number(seed, name, "alignment"), 1)
        joints = draw_number(seed, name, "joints")
        return cls(
            size,
            (*map(int, corner), *map(int, corner + covered)),
            colour,
            kept,
            similarities(errors, left)[0],
            joints,
            what.joint_noise * height,
            what.joint_dropout,
        )

    def image(self, image: np.ndarray) -> np.ndarray:
        """Return an image (H, W, 3) uint8 with the errors; smaller where a side is cut off."""
        image = image.copy()
        left, top, right, bottom = self.covered
        image[top:bottom, left:right] = self.colour
        left, top, right, bottom = self.kept
        image = image[top:bottom, left:right]
        if np.array_equal(self.matrix, np.eye(2, 3)):
            return image
        return cv2.warpAffine(image, self.matrix, image.shape[1::-1], flags=cv2.INTER_LINEAR, borderValue=GREY)

    def joints(self, joints: np.ndarray) -> np.ndarray:
        """Return joints (L, 3), x, y in pixels of the crop and score, in pixels of the image with the errors."""
        left, top, right, bottom = self.kept
        there, points = joints[:, 2] > 0, joints[:, :2].astype(float)
        seen = there & _inside(points, (0, 0, self.size[1], self.size[0]))
        moved = move((points - (left, top))[None], self.matrix[None])[0]
        gone = _inside(points, self.covered) | (seen & ~_inside(moved, (0, 0, right - left, bottom - top)))
        rng = np.random.default_rng(self.joint_seed)
        shifts, order = rng.standard_normal(points.shape), rng.permutation(len(joints))
        gone |= order < round(min(self.joint_dropout, 1.0) * len(joints))
        found = np.column_stack([moved + self.joint_noise * shifts, joints[:, 2]]).astype(joints.dtype)
        found[gone | ~there] = 0
        return found


def _kept(size: tuple[int, int], share: float, seed: int) -> tuple[int, int, int, int]:
    """Return what a box that is too small at one side leaves of a crop; ``share`` is a standard deviation."""
    lost = min(abs(alignment_errors(Alignment(translation=share), seed, 1)[0, 0]), LARGEST)
    height, width = size
    rows, columns = round(lost * height), round(lost * width)
    sides = [(0, rows, width, height), (0, 0, width, height - rows)]
    sides += [(columns, 0, width, height), (0, 0, width - columns, height)]
    return sides[np.random.default_rng([seed, 4]).integers(len(sides))]


def _inside(points: np.ndarray, box: tuple[int, int, int, int]) -> np.ndarray:
    """Tell which points (L, 2) lie on pixels of a box."""
    return ((points >= np.array(box[:2]) - 0.5) & (points < np.array(box[2:]) - 0.5)).all(1)
