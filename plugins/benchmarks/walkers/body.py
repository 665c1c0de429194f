"""The body around the stick figure, as convex polygons in the picture."""

from __future__ import annotations

import itertools
from typing import NamedTuple

import numpy as np

from .camera import View
from .gait import SIDES
from .identity import Identity
from .sequence import Sequence

ARC = 9  # points of a capsule's end


class Part(NamedTuple):
    """One convex piece of the body."""

    colour: str  # upper, lower, skin, hair, shoes, bag, sleeve (of the forearm) or calf
    polygon: np.ndarray  # (T, V, 2) pixels
    depth: np.ndarray  # (T,) metres towards the camera


def body_parts(view: View, identity: Identity, sequence: Sequence) -> list[Part]:
    """Return the pieces; their union is the silhouette."""
    cloth = sequence.clothing
    unit = identity.height * view.scale
    thick = identity.girth * unit * (1 + 0.8 * (cloth - 1))
    parts = []

    def limb(colour: str, a: str, b: str, at_a: float, at_b: float, factor: float = thick) -> None:
        start, end = view.points[a], view.points[b]
        polygon = capsule(start[:, :2], end[:, :2], at_a * factor, at_b * factor)
        parts.append(Part(colour, polygon, (start[:, 2] + end[:, 2]) / 2))

    for side in SIDES:
        limb("lower", f"{side}_hip", f"{side}_knee", 0.047, 0.034)
        limb("calf", f"{side}_knee", f"{side}_ankle", 0.033, 0.021)
        limb("shoes", f"{side}_heel", f"{side}_toe", 0.021, 0.014, unit)
        limb("shoes", f"{side}_ankle", f"{side}_heel", 0.020, 0.020, unit)
        limb("upper", f"{side}_shoulder", f"{side}_elbow", 0.031, 0.024)
        limb("sleeve", f"{side}_elbow", f"{side}_wrist", 0.023, 0.017)
        limb("skin", f"{side}_wrist", f"{side}_hand", 0.016, 0.014, unit)
        limb("upper", f"{side}_shoulder", "neck", 0.030, 0.022)
    limb("skin", "chest", "head", 0.030, 0.028, unit * identity.girth**0.5)
    parts += [*_trunk(view, identity, cloth), *_head(view, identity), *worn(view, identity, sequence)]
    return parts


def worn(view: View, identity: Identity, sequence: Sequence) -> list[Part]:
    """Return the coat and the bag, if there are any."""
    parts = []
    if sequence.coat:
        parts.append(_coat(view, identity, sequence))
    if sequence.bag:
        back = view.points["chest"] * 0.65 + view.points["pelvis"] * 0.35
        back = back - view.axes[:, 0] * (0.10 * identity.height * identity.girth)
        radius = sequence.bag * view.scale
        parts.append(
            Part(
                "bag",
                capsule(back[:, :2] - (0, 0.5 * radius), back[:, :2] + (0, 0.5 * radius), radius, 1.05 * radius),
                back[:, 2],
            )
        )
    return parts


def capsule(a: np.ndarray, b: np.ndarray, radius_a: float, radius_b: float) -> np.ndarray:
    """Return the convex hull (T, 2 * ARC, 2) of two discs around (T, 2) points."""
    along = b - a
    length = np.hypot(*along.T).clip(1e-6)
    angle = np.arctan2(along[:, 1], along[:, 0])[:, None]
    meet = np.arccos(((radius_a - radius_b) / length).clip(-1, 1))[:, None]  # of the common tangents' normals
    step = np.linspace(0, 1, ARC)
    at_a = angle + meet + step * (2 * np.pi - 2 * meet)
    at_b = angle - meet + step * 2 * meet
    circle = [
        p[:, None] + r * np.stack([np.cos(t), np.sin(t)], -1) for p, r, t in ((a, radius_a, at_a), (b, radius_b, at_b))
    ]
    return np.concatenate(circle, 1)


def _half_width(axes: np.ndarray, width: float, depth: float, turned: np.ndarray) -> np.ndarray:
    """Half the extent in x of a level ellipse, ``width`` along the body's left and ``depth`` along its forward."""
    cos, sin = np.cos(turned), np.sin(turned)
    left = axes[:, 1, 0] * cos + axes[:, 0, 0] * sin
    forward = axes[:, 0, 0] * cos - axes[:, 1, 0] * sin
    return np.hypot(width * left, depth * forward)


def _turn(view: View, joint: str) -> np.ndarray:
    """By how much the line of the hips or shoulders is turned around the vertical, (T,) radians, left forward."""
    across = view.points[f"left_{joint}"] - view.points[f"right_{joint}"]
    forward, left = (
        np.einsum("tj,tj->t", across / (view.scale, view.scale, 1), view.axes[:, i] / (view.scale, view.scale, 1))
        for i in (0, 1)
    )
    return np.arctan2(forward, left)


def _trunk(view: View, identity: Identity, cloth: float) -> list[Part]:
    h, girth = identity.height, identity.girth * cloth
    hips, shoulders = _turn(view, "hip"), _turn(view, "shoulder")
    low, high = view.points["pelvis"], view.points["chest"]
    hip_width = (identity.hips + 0.036 * girth) * h
    levels = [  # height between pelvis and chest, half width, half depth
        (-0.22, 0.80 * hip_width, 0.055 * girth * h),
        (0.0, hip_width, 0.065 * girth * h),
        (0.42, identity.waist * girth * h, identity.belly * girth * h),
        (0.78, (0.85 * identity.shoulders + 0.012 * girth) * h, 0.066 * girth * h),
        (1.08, 0.80 * identity.shoulders * h, 0.045 * girth * h),
    ]
    rings = []
    for at, width, depth in levels:
        centre = low + at * (high - low)
        half = _half_width(view.axes, width, depth, hips + at * (shoulders - hips))
        rings.append((centre[:, :2] - half[:, None] * (1, 0), centre[:, :2] + half[:, None] * (1, 0), centre[:, 2]))
    return [
        Part("upper" if i else "lower", np.stack([a[0], a[1], b[1], b[0]], 1), (a[2] + b[2]) / 2)
        for i, (a, b) in enumerate(itertools.pairwise(rings))
    ]


def _head(view: View, identity: Identity) -> list[Part]:
    skull, centre = identity.head * identity.height, view.points["head"]
    axis = centre[:, :2] - view.points["neck"][:, :2]
    axis = axis / np.hypot(*axis.T)[:, None].clip(1e-6)
    across = np.stack([-axis[:, 1], axis[:, 0]], -1)
    half = _half_width(view.axes, 0.72 * skull, 0.92 * skull, np.zeros(len(centre)))
    around = np.linspace(0, 2 * np.pi, 20, endpoint=False)
    ellipse = (
        np.cos(around)[:, None] * (half[:, None] * across)[:, None]
        + np.sin(around)[:, None] * (skull * view.scale * axis)[:, None]
    )
    face = Part("skin", centre[:, None, :2] + ellipse, centre[:, 2])
    back = centre - 0.35 * skull * view.axes[:, 0]
    back[:, :2] += 0.18 * skull * view.scale * axis
    return [face, Part("hair", back[:, None, :2] + 0.9 * ellipse, back[:, 2])]


def _coat(view: View, identity: Identity, sequence: Sequence) -> Part:
    h, low = identity.height, view.points["pelvis"]
    left, right = view.points["left_knee"], view.points["right_knee"]
    waist = low + 0.3 * (view.points["chest"] - low)
    hem = low + sequence.coat * ((left + right) / 2 - low)
    girth, turn = identity.girth * sequence.clothing, _turn(view, "hip")
    top = _half_width(view.axes, (identity.hips + 0.038 * girth) * h, 0.07 * girth * h, turn)
    bottom = 1.15 * top + 0.5 * sequence.coat * np.abs(left - right)[:, 0]
    across = np.array([1.0, 0.0])
    polygon = np.stack(
        [
            waist[:, :2] - top[:, None] * across,
            waist[:, :2] + top[:, None] * across,
            hem[:, :2] + bottom[:, None] * across,
            hem[:, :2] - bottom[:, None] * across,
        ],
        1,
    )
    return Part("upper", polygon, low[:, 2] + 0.12)
