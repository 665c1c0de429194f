"""Colours of a head, by longitude and latitude: skin, eyes, brows, lips, beard and hair."""

from __future__ import annotations

import numpy as np

from .face import Face
from .surface import bell, mouth_corner
from .view import View

LIGHT, DARK = np.array([236, 196, 170.0]), np.array([104, 66, 46.0])  # skin
BROWN, FAIR = np.array([34, 24, 20.0]), np.array([184, 148, 92.0])  # hair
IRIS = np.array([[84, 52, 30.0], [92, 128, 156.0]])
WHITE, PUPIL, MOUTH, TEETH = (
    np.array(c, float) for c in ((232, 228, 224), (16, 14, 14), (52, 18, 20), (226, 220, 208))
)
EDGE = 0.012  # radians over which one colour goes over into another


def paint(face: Face, view: View, u: np.ndarray, v: np.ndarray) -> np.ndarray:
    """Return colours (..., 3) RGB, 0 to 255, without light."""
    skin = LIGHT + np.clip(face.skin, 0, 1) * (DARK - LIGHT)
    skin = skin * (1 + face.red, 1 - face.red / 2, 1 - face.red / 2)
    hair = BROWN + np.clip(face.hair, 0, 1) * (FAIR - BROWN)
    colours = np.broadcast_to(skin.astype(u.dtype), (*u.shape, 3)).copy()
    lower = _step(face.mouth_v + 0.17 - v, 0.25) * (1 - bell(u, v, (0, face.mouth_v + 0.2), 0.1, 0.04))
    _mix(colours, 0.6 * np.clip(face.beard, 0, 1) * lower, hair * 0.8)
    _mix(colours, 0.12 * bell(np.abs(u), v, (0.55, -0.2), 0.16), np.array([200, 90, 80.0]))
    _mix(colours, 0.65 * bell(np.abs(u), v, (0.07, face.nose_v - 0.045), 0.03, 0.016), PUPIL)
    _mouth(colours, face, view, u, v, skin)
    _eyes(colours, face, view, u, v, hair)
    line = face.hairline - 0.25 * (u / 0.9) ** 4
    _mix(colours, np.maximum(_step(v - line, 0.03), _step(np.abs(u) - 1.32, 0.05)), hair)
    return colours


def _eyes(colours: np.ndarray, face: Face, view: View, u: np.ndarray, v: np.ndarray, hair: np.ndarray) -> None:
    for sign in (-1, 1):
        x, y = sign * u - face.eyes_u, v - face.eyes_v  # x grows outwards
        along, across = x, y - face.eye_tilt * x
        half = face.eye_height * view.lids * np.clip(1 - (along / face.eye_width) ** 2, 0, 1)
        inside = _step(half - np.abs(across)) * (np.abs(along) < face.eye_width)
        _mix(colours, 0.55 * _step(half + 0.016 - np.abs(across)) * (np.abs(along) < face.eye_width * 1.1), hair * 0.6)
        _mix(colours, inside, WHITE)
        middle = np.hypot(x, y)
        _mix(colours, inside * _step(0.058 - middle), IRIS[0] + np.clip(face.iris, 0, 1) * (IRIS[1] - IRIS[0]))
        _mix(colours, inside * _step(0.024 - middle), PUPIL)
        x = x - 0.01
        bow = face.brow_height + 0.035 * view.brows + face.brow_tilt * x - 0.9 * x**2
        thick = face.brow_thickness * np.clip(1.15 - (x / face.brow_width) ** 2, 0, 1)
        _mix(colours, 0.85 * _step(thick - np.abs(y - bow), 0.015), hair * 0.75)


def _mouth(colours: np.ndarray, face: Face, view: View, u: np.ndarray, v: np.ndarray, skin: np.ndarray) -> None:
    corner_u, corner_v = mouth_corner(face, view)
    reach = np.clip(1 - (u / corner_u) ** 2, 0, 1)
    middle = corner_v - (corner_v - face.mouth_v) * reach  # the line between the lips
    red = skin * (0.95, 0.66, 0.64) + np.clip(face.lips, 0, 1) * (np.array([178, 46, 58.0]) - skin * (0.95, 0.66, 0.64))
    opening = 0.07 * view.jaw * reach
    upper, lower = face.upper_lip * reach**0.7 + opening, face.lower_lip * reach**0.7 + opening
    across = v - middle
    within = np.abs(u) < corner_u
    _mix(colours, within * _step(upper - across) * _step(across + lower), red)
    _mix(colours, within * _step(opening + 0.008 - np.abs(across)), MOUTH)
    _mix(colours, within * _step(opening - np.abs(across - 0.4 * opening) - 0.02), TEETH)


def _step(distance: np.ndarray, edge: float = EDGE) -> np.ndarray:
    """1 where a distance is positive, 0 where it is negative, with a soft edge."""
    return 1 / (1 + np.exp(-np.clip(distance / edge * 4, -30, 30)))


def _mix(colours: np.ndarray, amount: np.ndarray, colour: np.ndarray) -> None:
    there = amount > 1e-3
    part = amount[there][:, None].astype(colours.dtype)
    colours[there] += part * (colour.astype(colours.dtype) - colours[there])
