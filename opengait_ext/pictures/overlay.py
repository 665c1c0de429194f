"""Pictures of silhouettes with their joints: one look shows whether keypoints are where they should be."""

from __future__ import annotations

import os
from collections.abc import Sequence

import cv2
import numpy as np

from plugins.common.files import atomic_write
from plugins.errors import KpstraError

GREY = 110
LEFT, RIGHT, MIDDLE = (60, 160, 255), (255, 170, 40), (90, 220, 90)  # BGR: the person's left orange, right blue
LIMBS = (
    (5, 7),
    (7, 9),
    (11, 13),
    (13, 15),
    (6, 8),
    (8, 10),
    (12, 14),
    (14, 16),
    (5, 6),
    (11, 12),
    (5, 11),
    (6, 12),
    (0, 1),
    (0, 2),
    (1, 3),
    (2, 4),
)
SUBPIXEL = 4  # bits of OpenCV's fixed-point coordinates
CAPTION, GAP = 14, 6  # pixels


def draw_frame(silhouette: np.ndarray, keypoints: np.ndarray, scale: int = 4) -> np.ndarray:
    """Draw COCO-17 joints and limbs over a silhouette.

    The left side is orange, the right side blue, the nose and what joins both sides green. A joint with score 0 is a
    hollow circle, and limbs to it are not drawn.

    Args:
        silhouette: (H, W) uint8.
        keypoints: (17, 3) x, y in pixels (integers are pixel centres) and score.
        scale: picture pixels of one silhouette pixel.

    Returns:
        (H * scale, W * scale, 3) uint8, BGR as OpenCV has it.
    """
    size = (silhouette.shape[1] * scale, silhouette.shape[0] * scale)
    grey = cv2.resize(np.ascontiguousarray(silhouette), size, interpolation=cv2.INTER_NEAREST)
    picture = cv2.cvtColor((grey.astype(np.uint16) * GREY // 255).astype(np.uint8), cv2.COLOR_GRAY2BGR)
    finite = np.isfinite(keypoints[:, :2]).all(1)
    sure = finite & (keypoints[:, 2] > 0)
    at = np.where(finite[:, None], (keypoints[:, :2] + 0.5) * scale - 0.5, 0).clip(-4 * max(size), 5 * max(size))
    at = [tuple(map(int, point)) for point in np.rint(at * 2**SUBPIXEL)]
    thick = max(1, scale // 4)
    for a, b in LIMBS:
        if sure[a] and sure[b]:
            cv2.line(picture, at[a], at[b], _colour(a, b), thick, cv2.LINE_AA, SUBPIXEL)
    for joint in np.flatnonzero(finite):
        radius, filled = round(0.7 * scale * 2**SUBPIXEL), -1 if sure[joint] else 1
        cv2.circle(picture, at[joint], radius, _colour(joint, joint), filled, cv2.LINE_AA, SUBPIXEL)
    return picture


def _colour(a: int, b: int) -> tuple[int, int, int]:
    """Odd joints are the person's left; the nose (0) takes the colour of what it is joined to."""
    if a and b and (a - b) % 2:
        return MIDDLE
    return MIDDLE if not (a or b) else LEFT if (a or b) % 2 else RIGHT


def draw_sheet(
    sequences: Sequence[tuple[str, np.ndarray, np.ndarray]], path: str | os.PathLike, columns: int = 8, scale: int = 4
) -> None:
    """Write a PNG of frames side by side, each with its caption below.

    Args:
        sequences: (caption, silhouette (H, W) uint8, keypoints (17, 3)) of each frame; sizes may differ.
        path: the picture, written whole or not at all.
        columns: frames in a row.
        scale: as in :func:`draw_frame`.

    Raises:
        KpstraError: nothing to draw, or the file cannot be written.
    """
    if not sequences:
        raise KpstraError(f"{path}: no frames to draw")
    frames = [draw_frame(silhouette, keypoints, scale) for _, silhouette, keypoints in sequences]
    height, width = (max(frame.shape[axis] for frame in frames) for axis in (0, 1))
    columns = min(columns, len(frames))
    step_y, step_x = height + CAPTION + GAP, width + GAP
    sheet = np.full((-(-len(frames) // columns) * step_y + GAP, columns * step_x + GAP, 3), 40, np.uint8)
    for index, (frame, (caption, _, _)) in enumerate(zip(frames, sequences, strict=True)):
        y, x = GAP + index // columns * step_y, GAP + index % columns * step_x
        sheet[y : y + frame.shape[0], x : x + frame.shape[1]] = frame
        _write(sheet[y + height : y + height + CAPTION, x : x + width], caption)
    try:
        with atomic_write(path) as stream:
            stream.write(cv2.imencode(".png", sheet)[1].tobytes())
    except OSError as error:
        raise KpstraError(f"{path}: cannot be written: {error.strerror}") from error


def _write(strip: np.ndarray, caption: str) -> None:
    """Write a caption into a strip of the sheet, as small as it must be; what does not fit is left out at its start."""
    font, largest, smallest = cv2.FONT_HERSHEY_SIMPLEX, 0.42, 0.3
    fit = largest * strip.shape[1] / max(cv2.getTextSize(caption, font, largest, 1)[0][0], 1)
    size = min(largest, max(smallest, fit))
    while len(caption) > 1 and cv2.getTextSize(caption, font, size, 1)[0][0] > strip.shape[1]:
        caption = ".." + caption.removeprefix("..")[1:] if len(caption) > 3 else caption[1:]
    text = np.ascontiguousarray(strip)
    cv2.putText(text, caption, (0, CAPTION - 4), font, size, (230, 230, 230), 1, cv2.LINE_AA)
    strip[:] = text
