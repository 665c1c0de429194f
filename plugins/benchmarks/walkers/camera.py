"""An orthographic camera that keeps the walker in the middle of the frame."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from .gait import Points
from .identity import Identity
from .sequence import Sequence

SHARE, REFERENCE = 0.75, 1.75  # a person of 1.75 m fills three quarters of the frame's height


class View(NamedTuple):
    """Points as seen: x right, y down (pixels; whole numbers are pixel centres), z towards the camera (metres)."""

    points: dict[str, np.ndarray]  # name -> (T, 3)
    axes: np.ndarray  # (T, 3, 3): the body's forward, left and up as (x, y, z) for one metre
    scale: float  # pixels of a metre
    height: float  # metres, of the person
    centre: np.ndarray  # (3,) where the camera sees the middle of the person's height, above the walk's origin

    def see(self, points: np.ndarray) -> np.ndarray:
        """Return more points (T, N, 3) forward, left, up in metres as seen, (T, N, 3)."""
        return (points - (0.0, 0.0, self.height / 2)) @ self.axes + self.centre


def look(points: Points, identity: Identity, sequence: Sequence, size: tuple[int, int]) -> View:
    """See (T, 3) points from the sequence's azimuth and elevation, in frames of ``size`` (height, width)."""
    frames = len(points["pelvis"])
    azimuth = np.radians(sequence.azimuth + np.linspace(-0.5, 0.5, frames) * sequence.turn)
    tilt = np.radians(sequence.elevation)
    scale = SHARE * size[0] / REFERENCE
    cos, sin, zero = np.cos(azimuth), np.sin(azimuth), np.zeros(frames)
    forward = np.stack([sin, cos * np.sin(tilt), cos * np.cos(tilt)], -1)  # x, y down, z; what is near lies lower
    left = np.stack([cos, -sin * np.sin(tilt), -sin * np.cos(tilt)], -1)
    up = np.stack([zero, zero - np.cos(tilt), zero + np.sin(tilt)], -1)
    axes = np.stack([forward, left, up], 1) * (scale, scale, 1)  # T, 3, 3
    middle = np.array([0.0, 0.0, identity.height / 2])
    centre = np.array([(size[1] - 1) / 2, (size[0] - 1) / 2, 0.0])
    seen = {name: np.einsum("ti,tij->tj", point - middle, axes) + centre for name, point in points.items()}
    return View(seen, axes, scale, identity.height, centre)
