"""A body of convex pieces, drawn into the picture: as a silhouette, or in an outfit's colours."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np

from .alignment import move
from .body import Part
from .outfit import Outfit

SHIFT = 4  # bits of OpenCV's fixed-point coordinates


class Shape(Protocol):
    """A body in the picture, frame by frame."""

    def moved(self, matrices: np.ndarray) -> Shape:
        """Return it after (T, 2, 3) on pixels."""

    def draw(self, image: np.ndarray, t: int) -> None:
        """Set the pixels of frame ``t`` in an image (H, W) uint8 to 255."""

    def paint(self, picture: np.ndarray, t: int, outfit: Outfit) -> None:
        """Paint frame ``t`` into a picture (H, W, 3) uint8 RGB; what is farther is darker."""


@dataclass(frozen=True)
class Pieces:
    """The stick figure's capsules, ellipses and quadrangles."""

    parts: list[Part]

    def moved(self, matrices: np.ndarray) -> Pieces:
        """Return it after (T, 2, 3) on pixels."""
        return Pieces([part._replace(polygon=move(part.polygon, matrices)) for part in self.parts])

    def draw(self, image: np.ndarray, t: int) -> None:
        """Draw the union of the parts."""
        import cv2

        for polygon in self._polygons:
            cv2.fillConvexPoly(image, polygon[t], 255, cv2.LINE_8, SHIFT)

    def paint(self, picture: np.ndarray, t: int, outfit: Outfit) -> None:
        """Paint the parts, the farthest first."""
        import cv2

        far = (self._depth - self._depth.mean(0)).clip(-0.3, 0.1)
        for index in np.argsort(self._depth[:, t], kind="stable"):
            shade = 1 + 0.8 * far[index, t]
            colour = tuple(shade * c for c in outfit.colour(self.parts[index].colour))
            cv2.fillConvexPoly(picture, self._polygons[index][t], colour, cv2.LINE_AA, SHIFT)

    @cached_property
    def _polygons(self) -> list[np.ndarray]:
        return [fixed_point(part.polygon) for part in self.parts]

    @cached_property
    def _depth(self) -> np.ndarray:
        return np.stack([part.depth for part in self.parts])  # P, T


def fixed_point(polygon: np.ndarray) -> np.ndarray:
    """Return coordinates as OpenCV wants them with ``SHIFT``."""
    return np.rint(polygon * 2**SHIFT).astype(np.int32)
