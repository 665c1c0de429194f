"""Sheets of many frames with their joints: one look shows whether a data set's keypoints are where they should be."""

from __future__ import annotations

import os
import random
from collections.abc import Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np

from plugins.common.files import atomic_write
from plugins.errors import KpstraError

from ..data.inspection import listing
from ..data.joint_transform import build_joint_transform
from ..data.safe_pickle import read_array
from .overlay import draw_frame

AUGMENTATION = [
    {"type": "RandomPerspective", "prob": 1.0},
    {"type": "BaseSilCuttingTransform", "divsor": 1},
    {"type": "RandomHorizontalFlip", "prob": 0.5},
    {"type": "RandomRotate", "prob": 1.0},
]
SEQUENCES = 8
CAPTION, GAP = 14, 6  # pixels


def overlay_sheet(root: Path, path: Path, augmentation: Sequence[Mapping] = AUGMENTATION, seed: int = 0) -> Path:
    """Draw sequences with their joints: each frame as prepared, then three draws of the augmentation."""
    pairs = [(name, files) for name, files in listing(root) if len(files) == 2]
    if not pairs:
        raise KpstraError(f"--data {root}: no sequence has silhouettes and keypoints")
    steps = [
        {**step, "divsor": 1} if "Cutting" in step["type"] else {**step, "prob": 1.0} if "prob" in step else step
        for step in augmentation
    ]
    joint, state = build_joint_transform(steps, "augmentation"), random.getstate()
    random.seed(seed)
    panels = []
    for name, files in pairs[:: max(1, len(pairs) // SEQUENCES)][:SEQUENCES]:
        silhouettes, keypoints = read_array(files[0])[:1], read_array(files[1])[:1]
        panels.append((name, silhouettes[0], keypoints[0]))
        for draw in range(3):
            moved = joint(silhouettes, keypoints)
            panels.append((f"augmented {draw}", moved[0][0].astype(np.uint8), moved[1][0]))
    random.setstate(state)
    draw_sheet(panels, path)
    return path


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
