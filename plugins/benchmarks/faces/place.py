"""Where a face lies in its picture: aligned to the template, or as a detector's box has it."""

from __future__ import annotations

import numpy as np

from .face import Face
from .surface import landmarks
from .view import View

FILL = 0.5  # of a picture's height: half a head's, where no place is given
SHIFT, SCALE, ROLL = 0.04, 0.1, 8.0  # of a detector's boxes: shares of the side, of the logarithm; degrees


def default_place(size: int) -> np.ndarray:
    """Return the transform (2, 3) that puts the head's middle into the picture's."""
    return np.array([[FILL * size, 0, (size - 1) / 2], [0, FILL * size, (size - 1) / 2]])


def aligned_place(face: Face, view: View, size: int) -> np.ndarray:
    """Return the transform (2, 3) that brings the landmarks nearest to the template of aligned faces."""
    import torch

    from ...landmarks.align import ALIGNED, TEMPLATE, similarity

    return similarity(torch.from_numpy(seen(face, view))[None], TEMPLATE * size / ALIGNED)[0].numpy()


def detected_place(view: View, size: int, error: float) -> np.ndarray:
    """Return the transform (2, 3) of a detector's box around the head: its place, size and the head's roll vary.

    Args:
        error: factor on how much; 0 is :func:`default_place`.
    """
    rng = np.random.default_rng([view.seed, 24])
    shift, scale, roll = (
        error * rng.normal(0, (SHIFT, SHIFT)),
        error * rng.normal(0, SCALE),
        error * rng.normal(0, ROLL),
    )
    angle, half = np.radians(roll), (size - 1) / 2
    zoom = FILL * size * np.exp(scale)
    turn = zoom * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return np.concatenate([turn, (half + shift * size)[:, None]], 1)


def seen(face: Face, view: View) -> np.ndarray:
    """Return the landmarks (5, 2) in the head's plane as the camera sees it: right, down."""
    return (landmarks(face, view) @ turned(view).T)[:, :2] * (1, -1)


def turned(view: View) -> np.ndarray:
    """Return the rotation (3, 3) of the head: first pitch, then yaw, then roll."""
    pitch, yaw, roll = np.radians([-view.pitch, view.yaw, -view.roll])
    about_x = [[1, 0, 0], [0, np.cos(pitch), -np.sin(pitch)], [0, np.sin(pitch), np.cos(pitch)]]
    about_y = [[np.cos(yaw), 0, np.sin(yaw)], [0, 1, 0], [-np.sin(yaw), 0, np.cos(yaw)]]
    about_z = [[np.cos(roll), -np.sin(roll), 0], [np.sin(roll), np.cos(roll), 0], [0, 0, 1]]
    return np.array(about_z) @ np.array(about_y) @ np.array(about_x)
