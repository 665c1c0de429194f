"""Pictures of the bias B_ij around a query, with the joints over the image (paper, Figs. 3 and 4). Needs matplotlib."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from ..errors import KpstraError
from .keypoints import check_keypoints

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def draw_bias(
    biases: Tensor,
    grid: tuple[int, int],
    queries: Sequence[tuple[int, int]],
    keypoints: Tensor,
    images: Sequence[np.ndarray] | None = None,
    titles: Sequence[str] | None = None,
    moved_from: Tensor | None = None,
    label: str = "B(i, j)",
) -> Figure:
    """Draw B_ij of some images for some queries i over all keys j: a row for each image, a column for each query.

    Args:
        biases: (B, N, N) of one head, N = grid height * width.
        grid: (height, width) of the patches.
        queries: (row, column) of each query patch.
        keypoints: (B, L, 2) in (x, y) of the image, in [0, 1].
        images: (H, W) or (H, W, 3) pictures, shown first in each row.
        titles: one for each image.
        moved_from: (L, 2), where the joints were before; those that moved get a ring there.
        label: of the colour scale.

    Returns:
        A matplotlib figure; one colour scale for all panels.

    Raises:
        KpstraError: sizes or counts that do not fit, values that are NaN, keypoints in pixels, or a query outside the
            grid.
    """
    height, width = grid
    from matplotlib.figure import Figure

    biases, keypoints = torch.as_tensor(biases), torch.as_tensor(keypoints)
    fits = biases.ndim == 3 and biases.shape[1:] == (height * width,) * 2
    if not fits or keypoints.shape[:1] + keypoints.shape[2:] != (len(biases), 2):
        raise KpstraError(
            f"draw_bias: biases {tuple(biases.shape)} and keypoints {tuple(keypoints.shape)} do not fit the grid {grid}"
        )
    if not torch.isfinite(biases).all():
        raise KpstraError("draw_bias: the biases are NaN or infinite")
    check_keypoints(keypoints, None)
    for name, given in (("images", images), ("titles", titles)):
        if given is not None and len(given) != len(biases):
            raise KpstraError(f"draw_bias: {len(given)} {name} for biases of {len(biases)} images")
    if not len(queries):
        raise KpstraError("draw_bias: no queries; give (row, column) of some patches")
    for row, column in queries:
        if not (0 <= row < height and 0 <= column < width):
            raise KpstraError(f"draw_bias: query {(row, column)} lies outside the grid {grid}")
    maps, points = biases.detach().float().cpu().numpy(), keypoints.detach().float().cpu().numpy()
    shown = np.stack([maps[:, row * width + column] for row, column in queries], axis=1)  # B, queries, N
    limit = max(float(np.abs(shown).max()), 1e-12)
    first = int(images is not None)
    rows, columns = len(maps), len(queries) + first
    shapes = [height / width] if images is None else [height / width, *(im.shape[0] / im.shape[1] for im in images)]
    figure = Figure(figsize=(1.7 * columns + 0.9, 1.7 * max(shapes) * rows + 0.5), dpi=110, layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False)
    for b in range(rows):
        for ax in axes[b]:
            ax.set_axis_off()
        if images is not None:
            axes[b, 0].imshow(images[b], cmap="gray", extent=(0, 1, 1, 0), aspect=shapes[b + 1])
            _joints(axes[b, 0], points[b])
        for i, (row, column) in enumerate(queries):
            ax = axes[b, i + first]
            panel = ax.imshow(
                shown[b, i].reshape(height, width),
                cmap="RdBu_r",
                vmin=-limit,
                vmax=limit,
                extent=(0, 1, 1, 0),
                aspect=height / width,
            )
            _joints(ax, points[b])
            if moved_from is not None:
                rings = moved_from[(moved_from != keypoints[b]).any(dim=-1)]
                ax.plot(rings[:, 0], rings[:, 1], "o", color="none", mec="black", mew=1.0, ms=5)
            ax.plot((column + 0.5) / width, (row + 0.5) / height, "*", color="gold", mec="black", ms=11)
            if b == 0:
                ax.set_title(f"query ({row}, {column})", fontsize=8)
        if titles is not None:
            axes[b, 0].annotate(
                titles[b],
                (0, 0.5),
                (-8, 0),
                "axes fraction",
                "offset points",
                rotation=90,
                va="center",
                ha="right",
                fontsize=8,
            )
    figure.colorbar(panel, ax=axes, shrink=0.7, label=label)
    return figure


def _joints(axes, points: np.ndarray) -> None:
    axes.plot(points[:, 0], points[:, 1], "o", color="lime", mec="black", mew=0.4, ms=3)
    axes.set_xlim(0, 1)
    axes.set_ylim(1, 0)
