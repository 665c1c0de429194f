"""A person of a mesh, walking, in the picture."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ....keypoints.joints import COCO17
from ..body import worn
from ..camera import View, look
from ..gait import Points, vector, walk
from ..mesh_identity import MeshIdentity
from ..sequence import Sequence
from .anny_body import AnnyBody, Rest, load_body
from .pose import TO_RIG, bone_turns
from .surface import Surface

CLOTH = 0.08  # metres that clothes of thickness 2 stand off more than those of thickness 1


def stand_mesh(identity: MeshIdentity, sequence: Sequence, frames: int, size: tuple[int, int]) -> tuple[Surface, View]:
    """Return the walking body in the picture, and the joints as seen; the lowest points touch the ground as in walk.

    Raises:
        KpstraError: the package anny is missing.
    """
    body = load_body()
    rest = body.rest(identity.phenotypes)
    person = measured(identity, body, rest)
    walking = walk(person, sequence, frames)
    vertices, joints = body.pose(rest, bone_turns(walking, body, rest), CLOTH * (sequence.clothing - 1))
    vertices, joints = vertices @ TO_RIG.T, {name: joint @ TO_RIG.T for name, joint in joints.items()}
    offset = _grounded(vertices, walking, person)
    view = look(_named({name: joint + offset for name, joint in joints.items()}), person, sequence, size)
    over = worn(view, person, sequence)
    seen = view.see(vertices + offset[:, None])
    return Surface(seen, view.scale, body.faces, body.worn, body.colours, over), view


def measured(identity: MeshIdentity, body: AnnyBody, rest: Rest) -> MeshIdentity:
    """Return the identity with the lengths of its body."""
    height = float(np.ptp(rest.vertices[:, 2]))
    at = {bone: body.head(rest, bone) for bone in body.bones}

    def share(a: np.ndarray, b: np.ndarray) -> float:
        return float(np.linalg.norm(a - b)) / height

    hip, shoulder = ((at[f"Left{bone}"] + at[f"Right{bone}"]) / 2 for bone in ("UpLeg", "Arm"))
    hips = share(at["LeftUpLeg"], at["RightUpLeg"]) / 2
    level = np.abs(rest.vertices[:, 2] - hip[2]) < 0.02 * height
    trunk = level & (np.abs(rest.vertices[:, 0]) < 0.2 * height)
    return replace(
        identity,
        height=height,
        hips=hips,
        thigh=share(at["LeftUpLeg"], at["LeftLeg"]),
        shank=share(at["LeftLeg"], at["LeftFoot"]),
        torso=share(hip, shoulder),
        shoulders=share(at["LeftArm"], at["RightArm"]) / 2,
        upper_arm=share(at["LeftArm"], at["LeftForeArm"]),
        forearm=share(at["LeftForeArm"], at["LeftHand"]),
        girth=(float(np.abs(rest.vertices[trunk, 0]).max()) / height - hips) / 0.036,
    )


def _grounded(vertices: np.ndarray, walking: Points, person: MeshIdentity) -> np.ndarray:
    """Return what to add to (T, V, 3) so that it stands on the ground and sways as the figure does, (T, 3)."""
    floor = vertices[..., 2].min(1)
    rise = floor.mean() + person.bounce * (floor - floor.mean())
    return vector(0.0, walking["pelvis"][:, 1], -rise)


def _named(joints: Points) -> Points:
    """Return COCO's joints, and the points that views of the stick figure have beside."""
    points = {name: joints[name] for name in COCO17}
    points["pelvis"] = (joints["left_hip"] + joints["right_hip"]) / 2
    points["chest"] = (joints["left_shoulder"] + joints["right_shoulder"]) / 2
    points["head"] = (joints["left_ear"] + joints["right_ear"]) / 2
    return points
