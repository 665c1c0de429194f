"""What the files of one sequence must be: as many frames in each, numbers all finite, silhouettes before keypoints."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from plugins.common.numerics import first_nonfinite
from plugins.errors import KpstraError
from plugins.keypoints.joints import JOINTS


def check_modalities(modalities: Sequence[np.ndarray], paths: Sequence[str | Path]) -> None:
    """Refuse modalities of unequal length, and values that are NaN or infinite; ``paths`` names their files."""
    for path, array in zip(paths, modalities, strict=True):
        if len(array) != len(modalities[0]):
            raise KpstraError(
                f"{path}: {len(array)} frames, but {paths[0]} has {len(modalities[0])}; modalities go by frame, "
                "run `opengait-ext prepare` again"
            )
        if array.dtype.kind == "f" and (frame := first_nonfinite(array)) is not None:
            raise KpstraError(
                f"{path}: NaN or infinite values, first in frame {frame}; `opengait-ext prepare` gives "
                "absent joints a place and the score 0"
            )


def check_pair(silhouettes: np.ndarray, keypoints: np.ndarray, paths: Sequence[str | Path]) -> None:
    """Refuse, besides, other things than silhouettes (T, H, W) and then keypoints (T, 17, 3)."""
    check_modalities((silhouettes, keypoints), paths)
    for path, array, shape, good in (
        (paths[0], silhouettes, "silhouettes (T, H, W)", silhouettes.ndim == 3 and min(silhouettes.shape[1:]) > 3),
        (paths[1], keypoints, f"keypoints (T, {JOINTS}, 3)", keypoints.shape[1:] == (JOINTS, 3)),
    ):
        if not good:
            raise KpstraError(
                f"{path}: an array of shape {array.shape}, expected {shape}; silhouettes come first in the order of "
                f"names, then COCO's {JOINTS} joints as x, y, score"
            )
