"""The picture of what a trained KP-RPE does: the bias of one window under the keypoints of different frames."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from plugins.common.files import atomic_write
from plugins.kprpe import WindowedKeypointRPE

from ..models.tokens import TOKENS


def first_window_bias(
    rpe: WindowedKeypointRPE, points: Tensor, confidence: Tensor | None = None
) -> tuple[Tensor, tuple[int, int]]:
    """Return B of the first window, mean over heads, (F, n, n), and the window's rows and columns, n of them.

    Args:
        rpe: of a SwinGait.
        points: (F, L, 2) in [0, 1].
        confidence: (F, L), or ``None``.
    """
    rows, columns = (min(size, side) for size, side in zip(rpe.window_size[1:], TOKENS, strict=True))
    n = rows * columns
    bias = rpe.frame_bias(rpe.factors(points.float(), confidence), 0, len(points), TOKENS)[:, 0, :, :n, :n].mean(1)
    return bias.expand(len(points), -1, -1), (rows, columns)


@torch.no_grad()
def draw(
    rpe: WindowedKeypointRPE, silhouettes: np.ndarray, keypoints: np.ndarray, path: Path, uses_confidence: bool
) -> Path:
    """Draw B_ij of the first window, mean over heads: a row for each person, a column for each query i.

    Args:
        silhouettes: (people, H, W), one frame each.
        keypoints: (people, L, 3) in pixels of the silhouettes.
        path: the picture.
        uses_confidence: whether the network weights joints by their scores.
    """
    from plugins.kprpe.draw import draw_bias

    height, width = silhouettes.shape[1:]
    points = torch.from_numpy((keypoints[..., :2] + 0.5) / [width, height]).float()
    confidence = torch.from_numpy(keypoints[..., 2]).float().clamp(0, 1) if uses_confidence else None
    bias, plane = first_window_bias(rpe, points, confidence)
    middle = plane[0] // 2
    queries = [(middle, 0), (middle, plane[1] // 2), (middle, plane[1] - 1)]
    figure = draw_bias(bias, plane, queries, points, silhouettes, [f"person {i + 1}" for i in range(len(points))])
    with atomic_write(path) as stream:
        figure.savefig(stream, format="png")
    return path
