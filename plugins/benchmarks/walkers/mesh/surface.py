"""A mesh in the picture, drawn as a silhouette or in an outfit's colours, with what is worn over it."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ..alignment import move
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
    over: Pieces  # coat and bag

    def moved(self, matrices: np.ndarray) -> Surface:
        """Return it after (T, 2, 3) on pixels."""
        at = np.concatenate([move(self.vertices[..., :2], matrices), self.vertices[..., 2:]], 2)
        return replace(self, vertices=at, over=self.over.moved(matrices))

    def draw(self, image: np.ndarray, t: int) -> None:
        """Draw the union of the faces towards the camera, and of what is worn over them."""
        import cv2

        corners, _ = self._front(t)
        triangles = fixed_point(corners[..., :2])
        pixels = (triangles + (1 << SHIFT - 1)) >> SHIFT
        small = (np.ptp(pixels, 1) <= 1).all(1)  # most: their corners' pixels are all they cover
        x, y = pixels[small].reshape(-1, 2).T
        inside = (x >= 0) & (y >= 0) & (x < image.shape[1]) & (y < image.shape[0])
        image[y[inside], x[inside]] = 255
        for triangle in triangles[~small]:
            cv2.fillConvexPoly(image, triangle, 255, cv2.LINE_8, SHIFT)
        self.over.draw(image, t)

    def paint(self, picture: np.ndarray, t: int, outfit: Outfit) -> None:
        """Paint the faces, the farthest first; what is farther or turned away is darker."""
        import cv2

        corners, front = self._front(t)
        depth = corners[..., 2].mean(1)
        far = (depth - depth.mean()).clip(-0.3, 0.1)
        palette = np.array([outfit.colour(colour) for colour in self.colours], float)
        shades = (1 + 0.8 * far) * (0.75 + 0.3 * self._facing(corners))
        colours = (shades[:, None] * palette[self.worn[front]]).tolist()
        triangles, order = fixed_point(corners[..., :2]), np.argsort(depth, kind="stable")
        parts = self.over.parts
        before = {index: np.searchsorted(depth[order], part.depth[t]) for index, part in enumerate(parts)}
        for rank, index in enumerate(order):
            for part in (parts[i] for i, at in before.items() if at == rank):
                Pieces([part]).paint(picture, t, outfit)
            cv2.fillConvexPoly(picture, triangles[index], colours[index], cv2.LINE_8, SHIFT)
        for part in (parts[i] for i, at in before.items() if at == len(order)):
            Pieces([part]).paint(picture, t, outfit)

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
