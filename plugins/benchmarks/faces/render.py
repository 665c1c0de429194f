"""A picture of a face and its landmarks: turned, lit, seen by an orthographic camera, aligned or as it comes."""

from __future__ import annotations

import numpy as np

from .face import Face
from .paint import paint
from .place import default_place, seen, turned
from .surface import surface
from .view import View

FINE = 2  # samples a pixel, along each side
ACROSS, DOWN = np.radians((-125, 125)), np.radians((-90, 90))  # of the head that is drawn


def render(face: Face, view: View, size: int = 64, place: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Return a picture (size, size, 3) uint8 RGB and its landmarks (5, 2).

    Args:
        size: of the picture, in pixels.
        place: (2, 3) similarity transform from the head's plane (right, down) to pixels; by default the head's middle
            is the picture's, and its height 110 % of the picture's.

    Returns:
        The picture, and x, y of image-left eye, image-right eye, nose tip and mouth corners in pixels: whole numbers
        are pixel centres.
    """
    import cv2

    place = default_place(size) if place is None else place
    steps = int(np.ceil(FINE * 5 * np.hypot(*place[:, 0])))  # points are nearer to each other than samples
    u, v = np.meshgrid(*(np.linspace(*ends, steps, dtype=np.float32) for ends in (ACROSS, DOWN)))
    points = surface(face, view, u, v) @ turned(view).T.astype(np.float32)
    canvas = _background(view, size * FINE)
    at = np.rint((points[..., :2] * (1, -1) @ place[:, :2].T + place[:, 2] + 0.5) * FINE - 0.5).astype(int)
    normals = _normals(points)
    shown = (normals[..., 2] > 0) & ((at >= 0) & (at < len(canvas))).all(-1)
    colours = (
        paint(face, view, u[shown], v[shown]) * _light(normals[shown], view)[:, None] * np.array(view.tint, np.float32)
    )
    order = np.argsort(points[shown][:, 2], kind="stable")  # the nearest are drawn last
    column, row = at[shown][order].T
    canvas[row, column] = colours[order]
    picture = cv2.resize(canvas, (size, size), interpolation=cv2.INTER_AREA)
    if view.blur > 0.2:
        picture = cv2.GaussianBlur(picture, (0, 0), view.blur)
    rng = np.random.default_rng([view.seed, 22])
    picture = picture * view.brightness + view.grain * rng.standard_normal(picture.shape)
    return picture.round().clip(0, 255).astype(np.uint8), seen(face, view) @ place[:, :2].T + place[:, 2]


def _normals(points: np.ndarray) -> np.ndarray:
    """Outward normals (R, C, 3) of a grid of points."""
    normals = np.cross(np.gradient(points, axis=1), np.gradient(points, axis=0))
    return normals / (np.linalg.norm(normals, axis=-1, keepdims=True) + 1e-9)


def _light(normals: np.ndarray, view: View) -> np.ndarray:
    """Diffuse light on normals (N, 3), and a share from everywhere."""
    light = np.array(view.light, np.float32) / np.linalg.norm(view.light)
    return view.ambient + 1.15 * (1 - view.ambient) * np.clip(normals @ light, 0, None)


def _background(view: View, size: int) -> np.ndarray:
    """A slope of two colours with soft patches, (size, size, 3) float32."""
    import cv2

    rng = np.random.default_rng([view.seed, 23])
    coarse = (
        rng.uniform(50, 200) + rng.normal(0, 18, (1, 1, 3)) + rng.normal(0, 26, (4, 4, 1)) + rng.normal(0, 8, (4, 4, 3))
    )
    return cv2.resize(coarse.astype(np.float32), (size, size), interpolation=cv2.INTER_CUBIC)
