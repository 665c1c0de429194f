"""From a person and a sequence to silhouettes and joints."""

from __future__ import annotations

import numpy as np

from ...errors import KpstraError
from .alignment import alignment_errors, move, similarities
from .body import Part, body_parts
from .camera import look
from .gait import walk
from .identity import Identity
from .joints import coco_joints
from .noise import spoil
from .sequence import Sequence

SHIFT = 4  # bits of OpenCV's fixed-point coordinates


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
    parts, joints = figure(identity, sequence, frames, size)
    silhouettes = draw(parts, frames, size)
    spoil(silhouettes, joints, sequence.noise, sequence.seed)
    return silhouettes, joints.astype(np.float32)


def figure(identity: Identity, sequence: Sequence, frames: int, size: tuple[int, int]) -> tuple[list[Part], np.ndarray]:
    """Return the body's parts and the joints (T, 17, 3) in pixels, misaligned as the sequence says."""
    if frames < 1 or min(size) < 16:
        raise KpstraError(f"walkers: {frames} frames of {size[0]}x{size[1]}: expected at least 1 of at least 16x16")
    view = look(walk(identity, sequence, frames), identity, sequence, size)
    parts = body_parts(view, identity, sequence)
    joints = coco_joints(view, sequence.seed, sequence.joint_noise * size[0])
    errors = alignment_errors(sequence.alignment, sequence.seed, frames)
    if (errors != (0, 0, 1, 0)).any():
        matrices = similarities(errors, size)
        parts = [part._replace(polygon=move(part.polygon, matrices)) for part in parts]
        joints[..., :2] = move(joints[..., :2], matrices)
    return parts, joints


def draw(parts: list[Part], frames: int, size: tuple[int, int]) -> np.ndarray:
    """Return the union of the parts as (T, H, W) uint8, 0 or 255."""
    import cv2

    images = np.zeros((frames, *size), np.uint8)
    polygons = [fixed_point(part.polygon) for part in parts]
    for t, image in enumerate(images):
        for polygon in polygons:
            cv2.fillConvexPoly(image, polygon[t], 255, cv2.LINE_8, SHIFT)
    return images


def fixed_point(polygon: np.ndarray) -> np.ndarray:
    """Return coordinates as OpenCV wants them with ``SHIFT``."""
    return np.rint(polygon * 2**SHIFT).astype(np.int32)
