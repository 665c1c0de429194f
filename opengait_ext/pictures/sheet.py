"""Sheets of many frames with their joints: one look shows whether a data set's keypoints are where they should be."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from plugins.errors import KpstraError
from plugins.pictures.sheet import draw_sheet

from ..data.inspection import listing
from ..data.joint_transform import build_joint_transform
from ..data.safe_pickle import read_array

AUGMENTATION = [
    {"type": "RandomPerspective", "prob": 1.0},
    {"type": "BaseSilCuttingTransform", "divsor": 1},
    {"type": "RandomHorizontalFlip", "prob": 0.5},
    {"type": "RandomRotate", "prob": 1.0},
]
SEQUENCES = 8


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
