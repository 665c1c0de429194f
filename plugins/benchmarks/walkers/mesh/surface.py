"""A mesh in the picture, drawn as a silhouette or in an outfit's colours, with what is worn over it."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ..alignment import move
from ..body import Part
from ..outfit import Outfit
from ..pieces import SHIFT, Pieces, fixed_point


@dataclass(frozen=True)
class Surface:
    """Triangles whose corners run clockwise as seen when they face the camera."""

    vertices: np.ndarray  # (T, V, 3) x, y in pixels, z metres towards the camera
    scale: float  # pixels of a metre
    faces: np.ndarray  # (F, 3)
    worn: np.ndarray  # (F,) indices of colours
    colours: tuple[str, ...]
    over: list[Part]  # coat and bag

    def moved(self, matrices: np.ndarray) -> Surface:
        """Return it after (T, 2, 3) on pixels."""
        at = np.concatenate([move(self.vertices[..., :2], matrices), self.vertices[..., 2:]], 2)
        return replace(self, vertices=at, over=Pieces(self.over).moved(matrices).parts)

    def draw(self, image: np.ndarray, t: int) -> None:
        """Draw the union of the faces towards the camera, and of what is worn over them."""
        image[self._nearest(image.shape, t) >= 0] = 255

    def paint(self, picture: np.ndarray, t: int, outfit: Outfit) -> None:
        """Paint the nearest of each pixel; what is farther or turned away is darker."""
        corners, front = self._front(t)
        depth = corners[..., 2].mean(1)
        palette = np.array([outfit.colour(colour) for colour in self.colours], float)
        shades = (1 + 0.8 * (depth - depth.mean()).clip(-0.3, 0.1)) * (0.75 + 0.3 * self._facing(corners))
        over = np.array([outfit.colour(part.colour) for part in self.over], float).reshape(-1, 3)
        colours = np.concatenate([shades[:, None] * palette[self.worn[front]], over]).round().clip(0, 255)
        nearest = self._nearest(picture.shape[:2], t)
        picture[nearest >= 0] = colours[nearest[nearest >= 0]]

    def _nearest(self, size: tuple[int, ...], t: int) -> np.ndarray:
        """Return which is nearest in each pixel, (H, W): a face towards the camera, after them a part; -1 if none."""
        import cv2

        corners, _ = self._front(t)
        depth = np.append(corners[..., 2].mean(1), [part.depth[t] for part in self.over])
        order = np.argsort(depth, kind="stable")  # the farthest first
        ranks = np.empty(len(order), np.int32)
        ranks[order] = np.arange(len(order))
        triangles, over = fixed_point(corners[..., :2]), [fixed_point(part.polygon[t]) for part in self.over]
        pixels = (triangles + (1 << SHIFT - 1)) >> SHIFT
        small = (np.ptp(pixels, 1) <= 1).all(1)  # most: they cover their corners' pixels
        small = np.concatenate([small, np.zeros(len(over), bool)])
        canvas = np.full(size, -1, np.int32)
        for index in order[~small[order]].tolist():
            polygon = triangles[index] if index < len(triangles) else over[index - len(triangles)]
            cv2.fillConvexPoly(canvas, polygon, int(ranks[index]), cv2.LINE_8, SHIFT)
        few = np.flatnonzero(small)
        x, y = pixels[few].reshape(-1, 2).T
        inside = (x >= 0) & (y >= 0) & (x < size[1]) & (y < size[0])
        np.maximum.at(canvas, (y[inside], x[inside]), ranks[few].repeat(3)[inside])
        return np.where(canvas < 0, -1, order[canvas])

    def _front(self, t: int) -> tuple[np.ndarray, np.ndarray]:
        """Return corners (N, 3, 3) and indices (N,) of the faces towards the camera."""
        corners = self.vertices[t][self.faces]
        a, b = corners[:, 1, :2] - corners[:, 0, :2], corners[:, 2, :2] - corners[:, 0, :2]
        front = np.flatnonzero(a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0] < 0)
        return corners[front], front

    def _facing(self, corners: np.ndarray) -> np.ndarray:
        """Return the cosines (N,) between faces' normals and the way to the camera."""
        metric = corners * (1, 1, self.scale)
        normal = np.cross(metric[:, 1] - metric[:, 0], metric[:, 2] - metric[:, 0])
        return np.abs(normal[:, 2]) / np.linalg.norm(normal, axis=1).clip(1e-9)
