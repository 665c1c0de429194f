"""Many people with their joints in one picture."""

from __future__ import annotations

import os
from collections.abc import Sequence

import cv2
import numpy as np

from ..common.files import atomic_write
from ..errors import KpstraError
from .overlay import draw_frame

CAPTION, GAP = 14, 6  # pixels


def draw_sheet(
    frames: Sequence[tuple[str, np.ndarray, np.ndarray]], path: str | os.PathLike, columns: int = 8, scale: int = 4
) -> None:
    """Write a PNG of frames side by side, each with its caption below.

    Args:
        frames: (caption, image (H, W) or (H, W, 3) uint8, keypoints (17, 3)) of each; sizes may differ.
        path: the picture, written whole or not at all.
        columns: frames in a row.
        scale: as in :func:`draw_frame`.

    Raises:
        KpstraError: nothing to draw, or the file cannot be written.
    """
    if not frames:
        raise KpstraError(f"{path}: no frames to draw")
    drawn = [draw_frame(image, keypoints, scale) for _, image, keypoints in frames]
    height, width = (max(frame.shape[axis] for frame in drawn) for axis in (0, 1))
    columns = min(columns, len(drawn))
    step_y, step_x = height + CAPTION + GAP, width + GAP
    sheet = np.full((-(-len(drawn) // columns) * step_y + GAP, columns * step_x + GAP, 3), 40, np.uint8)
    for index, (frame, (caption, _, _)) in enumerate(zip(drawn, frames, strict=True)):
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
