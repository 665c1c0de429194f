"""The surface of a head: a bent ellipsoid with bumps, by longitude and latitude, and the five landmarks on it."""

from __future__ import annotations

import numpy as np

from .face import Face
from .view import View


def surface(face: Face, view: View, u: np.ndarray, v: np.ndarray) -> np.ndarray:
    """Return points (..., 3) of the head: right, up, and towards a camera that the person looks at.

    Args:
        u, v: longitude and latitude (...) in radians.
    """
    below = np.clip(-v / 1.2, 0, 1)
    width = face.width * (1 - face.jaw * below**2)
    out = 1 + _bumps(face, u, v)
    x = width * np.sin(u) * np.cos(v) * out
    y = face.height * np.sin(v) * out - 0.14 * view.jaw * np.clip((face.mouth_v - v) / 0.15, 0, 1)
    z = face.depth * np.cos(u) * np.cos(v) * out
    return np.stack([x, y, z], -1)


def landmarks(face: Face, view: View) -> np.ndarray:
    """Return the five landmarks (5, 3) on the surface: eyes, nose tip, mouth corners, of the image's left one first."""
    corner_u, corner_v = mouth_corner(face, view)
    u = np.array([-face.eyes_u, face.eyes_u, 0.0, -corner_u, corner_u])
    v = np.array([face.eyes_v, face.eyes_v, face.nose_v, corner_v, corner_v])
    return surface(face, view, u, v)


def mouth_corner(face: Face, view: View) -> tuple[float, float]:
    """Return u and v of the mouth's corner on the image's right: a smile widens and raises it, open jaws pull it in."""
    return face.mouth_width * (1 + 0.16 * view.smile - 0.12 * view.jaw), face.mouth_v + 0.05 * view.smile


def bell(
    u: np.ndarray, v: np.ndarray, at: tuple[float, float], width: float, height: float | None = None
) -> np.ndarray:
    """A Gaussian bump of height 1."""
    return np.exp(-(((u - at[0]) / width) ** 2 + ((v - at[1]) / (height or width)) ** 2) / 2)


def _bumps(face: Face, u: np.ndarray, v: np.ndarray) -> np.ndarray:
    """How far features stand out, in shares of the radius."""
    side = np.abs(u)
    rise = np.clip((0.26 - v) / (0.26 - face.nose_v), 0, 1)  # from the root of the nose to its tip
    under = np.exp(-(np.clip(face.nose_v - v, 0, None) ** 2) / (2 * 0.045**2))
    nose = face.nose_length * rise**2 * under * np.exp(-((u / (face.nose_width * (0.55 + 0.45 * rise))) ** 2) / 2)
    eyes = (face.eyes_u, face.eyes_v)
    return (
        nose
        - face.sockets * bell(side, v, eyes, 0.17, 0.12)
        + 0.03 * bell(side, v, eyes, face.eye_width * 0.7, face.eye_height)
        + 0.04 * bell(side, v, (0.3, face.eyes_v + face.brow_height), 0.3, 0.07)
        + face.cheeks * bell(side, v, (0.62, -0.12), 0.2)
        + 0.05 * bell(u, v, (0.0, face.mouth_v), face.mouth_width, 0.09)
        + face.chin * bell(u, v, (0.0, -0.95), 0.22, 0.14)
    )
