"""From a person and a sequence to silhouettes and joints."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ...errors import KpstraError
from .alignment import alignment_errors, move, similarities
from .body import body_parts
from .camera import View, look
from .gait import walk
from .identity import Identity
from .joints import coco_joints
from .mesh_identity import MeshIdentity
from .noise import spoil
from .pieces import Pieces, Shape
from .pose_errors import pose_errors
from .sequence import Sequence


def render(
    identity: Identity, sequence: Sequence, frames: int = 30, size: tuple[int, int] = (128, 96)
) -> tuple[np.ndarray, np.ndarray]:
    """Draw a walk.

    The person is in the middle of the frame and fills three quarters of its height (at 1.75 m), moved by the
    sequence's alignment errors.

    Args:
        frames: T, 25 a second.
        size: height and width of the frames in pixels.

    Returns:
        silhouettes (T, H, W) uint8, 0 or 255, and keypoints (T, 17, 3) float32: x and y in pixels (whole numbers are
        pixel centres) of COCO's joints, left and right the person's own, and their score.

    Raises:
        KpstraError: no frames, or frames of less than 16 pixels.
    """
    body = figure(identity, sequence, frames, size)
    silhouettes = np.zeros((frames, *size), np.uint8)
    for t, image in enumerate(silhouettes):
        body.shape.draw(image, t)
    spoil(silhouettes, body.joints, sequence.noise, sequence.seed)
    return silhouettes, body.found.astype(np.float32)


def stand(identity: Identity, sequence: Sequence, frames: int, size: tuple[int, int]) -> tuple[Shape, View]:
    """Return the walking body in the picture, and the points of it as seen."""
    if isinstance(identity, MeshIdentity):
        from .mesh import stand_mesh

        return stand_mesh(identity, sequence, frames, size)
    view = look(walk(identity, sequence, frames), identity, sequence, size)
    return Pieces(body_parts(view, identity, sequence)), view


class Figure(NamedTuple):
    """A body in the picture, and its joints (T, 17, 3): x, y in pixels, score."""

    shape: Shape
    joints: np.ndarray  # with the sequence's joint_noise
    found: np.ndarray  # and with its joint_errors


def figure(identity: Identity, sequence: Sequence, frames: int, size: tuple[int, int]) -> Figure:
    """Return the body and its joints, misaligned as the sequence says."""
    if frames < 1 or min(size) < 16:
        raise KpstraError(f"walkers: {frames} frames of {size[0]}x{size[1]}: expected at least 1 of at least 16x16")
    shape, view = stand(identity, sequence, frames, size)
    joints = coco_joints(view, sequence.seed, sequence.joint_noise * size[0])
    profile = view.axes[:, 0, 0] / view.scale
    found = pose_errors(joints, view.height * view.scale, profile, sequence.joint_errors, sequence.seed)
    errors = alignment_errors(sequence.alignment, sequence.seed, frames)
    if (errors != (0, 0, 1, 0)).any():
        matrices = similarities(errors, size)
        shape = shape.moved(matrices)
        joints[..., :2], found[..., :2] = (move(at[..., :2], matrices) for at in (joints, found))
    return Figure(shape, joints, found)
