"""Sheets of many frames with their joints: one look shows whether a data set's keypoints are where they should be."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from plugins.errors import KpstraError
from plugins.keypoints.joints import JOINTS
from plugins.pictures.sheet import draw_sheet

from ..data.inspection import listing
from ..data.joint_transform import build_joint_transform
from ..data.joint_transform.steps import LEAST_WIDTH
from ..data.modalities import check_pair
from ..data.safe_pickle import read_array

AUGMENTATION = [
    {"type": "RandomPerspective", "prob": 1.0},
    {"type": "BaseSilCuttingTransform", "divsor": 1},
    {"type": "RandomHorizontalFlip", "prob": 0.5},
    {"type": "RandomRotate", "prob": 1.0},
]
SEQUENCES = 8


def overlay_sheet(root: Path, path: Path, augmentation: Sequence[Mapping] = AUGMENTATION, seed: int = 0) -> Path:
    """Draw sequences with their joints: each frame as prepared, then three draws of the augmentation.

    Sequences that cannot be read are left out, and the perspective for silhouettes that are too narrow for it.

    Raises:
        KpstraError: no sequence is left.
    """
    listed = listing(root)
    pairs = [(name, files) for name, files in listed if len(files) == 2]
    chosen = pairs[:: max(1, len(pairs) // SEQUENCES)][:SEQUENCES]
    frames = [(name, *pair) for name, files in chosen if (pair := _first_frame(files))]
    if not frames:
        raise KpstraError(
            f"--data {root}: no sequence has silhouettes (T, H, W) and keypoints (T, {JOINTS}, 3)"
            + (f"; {chosen[0][0]} for one has not" if chosen else "")
        )
    narrow = min(silhouettes.shape[2] for _, silhouettes, _ in frames) < LEAST_WIDTH
    steps = [
        {**step, "divsor": 1} if "Cutting" in step["type"] else {**step, "prob": 1.0} if "prob" in step else step
        for step in augmentation
        if not (narrow and step["type"] == "RandomPerspective")
    ]
    joint, state = build_joint_transform(steps, "augmentation"), random.getstate()
    random.seed(seed)
    panels = []
    for name, silhouettes, keypoints in frames:
        panels.append((name, silhouettes[0].astype(np.uint8), keypoints[0]))
        for draw in range(3):
            moved = joint(silhouettes, keypoints)
            panels.append((f"augmented {draw}", moved[0][0].astype(np.uint8), moved[1][0]))
    random.setstate(state)
    draw_sheet(panels, path)
    return path


def _first_frame(files: Sequence[Path]) -> tuple[np.ndarray, np.ndarray] | None:
    """Return a sequence's first silhouette (1, H, W) and its joints (1, 17, 3), if that is what its files hold."""
    try:
        pair = tuple(read_array(file)[:1] for file in files)
        check_pair(*pair, files)
    except KpstraError:
        return None
    return pair
