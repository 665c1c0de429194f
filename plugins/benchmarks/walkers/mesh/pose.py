"""From the stick figure's walk to the rotations of a rig's bones: each limb points where the figure's points."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from ..gait import SIDES, Points, vector

if TYPE_CHECKING:
    from .anny_body import AnnyBody, Rest

ARM, LEG = ("Arm", "ForeArm", "Hand", "HandMiddle1"), ("UpLeg", "Leg", "Foot")  # each points to the next one
TO_RIG = np.array([[0.0, -1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])  # forward, left, up -> x left, y back, z up


def bone_turns(points: Points, body: AnnyBody, rest: Rest) -> np.ndarray:
    """Return each bone's rotation from the rest pose, (T, J, 3, 3), in the rig's axes.

    A limb's rotation is its parent's, followed by the smallest one that turns it into the figure's direction. The head
    keeps looking ahead; a foot's sole takes the figure's pitch, its toes stay on the ground when the heel rises.

    Args:
        points: of :func:`..gait.walk`.
    """
    at = {name: point @ TO_RIG for name, point in points.items()}
    heads = {bone: body.head(rest, bone) for bone in body.bones}
    turns: dict[str, np.ndarray] = {}

    def line(joint: str, left: str, right: str) -> np.ndarray:
        return between(heads[left] - heads[right], at[f"left_{joint}"] - at[f"right_{joint}"])

    def along(parent: np.ndarray, rest_way: np.ndarray, way: np.ndarray) -> np.ndarray:
        return between(parent @ rest_way, way) @ parent

    hips, shoulders = line("hip", "LeftUpLeg", "RightUpLeg"), line("shoulder", "LeftArm", "RightArm")
    low, high = (heads[f"Left{bone}"] + heads[f"Right{bone}"] for bone in ("UpLeg", "Arm"))
    turns["Hips"] = hips
    turns["Spine1"] = along(shoulders, high - low, at["chest"] - at["pelvis"])
    turns["Spine"] = _halfway(hips, turns["Spine1"])
    turns["Neck"] = along(turns["Spine1"], heads["Head"] - heads["Neck"], at["head"] - at["neck"])
    turns["Head"] = between(np.array([0.0, -1.0, 0.0]), _face(points) @ TO_RIG)
    for side, name in zip(SIDES, ("Left", "Right"), strict=True):
        for first, bones, joints in (
            ("Spine1", ARM, ("shoulder", "elbow", "wrist", "hand")),
            ("Hips", LEG, ("hip", "knee", "ankle")),
        ):
            turn = turns[first]
            for (bone, following), (start, end) in zip(pairwise(bones), pairwise(joints), strict=True):
                rest_way = heads[name + following] - heads[name + bone]
                turn = turns[name + bone] = along(turn, rest_way, at[f"{side}_{end}"] - at[f"{side}_{start}"])
        sole = (heads[f"{name}ToeBase"] - heads[f"{name}Foot"]) * (1, 1, 0)
        way = at[f"{side}_toe"] - at[f"{side}_heel"]
        turns[f"{name}Foot"] = between(sole, way)
        turns[f"{name}ToeBase"] = between(sole, np.concatenate([way[:, :2], way[:, 2:].clip(0)], 1))
    every: list[np.ndarray] = []
    for bone, parent in zip(body.bones, body.parents, strict=True):
        every.append(turns[bone] if bone in turns else every[parent])
    return np.stack(every, 1)


def between(start: np.ndarray, end: np.ndarray) -> np.ndarray:
    """Return the smallest rotations (T, 3, 3) that turn directions (3,) or (T, 3) into (T, 3)."""
    a, b = (way / np.linalg.norm(way, axis=-1, keepdims=True) for way in np.broadcast_arrays(start, end))
    cross, cosine = np.cross(a, b), (a * b).sum(-1)[:, None, None]
    x, y, z = cross.T
    zero = np.zeros_like(x)
    skew = np.stack([zero, -z, y, z, zero, -x, -y, x, zero], -1).reshape(-1, 3, 3)
    return np.eye(3) + skew + skew @ skew / (1 + cosine).clip(1e-6)


def _halfway(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return the rotations (T, 3, 3) in the middle of two that are near each other."""
    left, _, right = np.linalg.svd(a + b)
    return left @ right


def _face(points: Points) -> np.ndarray:
    """Return where the face looks, (T, 3): ahead, lowered by half of the head's lean."""
    axis = points["head"] - points["neck"]
    half = np.arctan2(axis[:, 0], axis[:, 2]) / 2
    return vector(np.cos(half), 0, -np.sin(half))
