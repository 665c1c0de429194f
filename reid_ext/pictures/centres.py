"""Pictures of the modes that a transformer takes for keypoints: each mask, and its centre."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from matplotlib.figure import Figure
from torch import Tensor

from plugins.errors import KpstraError
from plugins.modes import PartCentres

from ..models.modal import ModesTransformer
from .mode_maps import select_modes
from .mode_pictures import Normalisation, batches, save, show


@torch.no_grad()
def find_centres(model: ModesTransformer, images: Tensor) -> tuple[np.ndarray, PartCentres]:
    """Return the masks (B, G, h, w) of normalised images (B, 3, H, W) in evaluation mode, and the parts they give."""
    training = model.training
    features = model.eval().modes.stem(images)
    parts = model.modes.finder(features)
    model.train(training)
    return parts.mask.unflatten(2, features.shape[-2:]).numpy(), parts


def draw_centres(crops: np.ndarray, masks: np.ndarray, points: np.ndarray, modes: Sequence[int]) -> Figure:
    """Draw a row for each crop: the crop with the centres of all ``modes``, then each mode's mask and centre.

    Args:
        crops: (images, H, W, 3) uint8.
        masks: (images, G, h, w), each drawn from its own minimum to its own maximum.
        points: (images, G, 2), (x, y) in [0, 1] of the crop.
        modes: the numbers of the modes that are shown.
    """
    height, width = crops.shape[1:3]
    figure = Figure(figsize=(1.0 * (1 + len(modes)), height / width * len(crops) + 0.35), dpi=110)
    top = 1 - 0.3 / figure.get_figheight()
    grid = figure.subplots(
        len(crops), 1 + len(modes), squeeze=False, gridspec_kw={"wspace": 0.05, "hspace": 0.05, "top": top}
    )
    figure.subplots_adjust(left=0.01, right=0.99, bottom=0.01)
    places = points * (width, height)
    for row, crop in enumerate(crops):
        show(grid[row, 0], crop)
        for i, mode in enumerate(modes):
            colour, axes = f"C{i}", grid[row, 1 + i]
            show(axes, crop, masks[row, mode])
            for target in (grid[row, 0], axes):
                target.plot(*places[row, mode], "o", color=colour, markeredgecolor="white", markersize=5)
            if row == 0:
                axes.set_title(f"mode {mode}", fontsize=7, pad=3, color=colour)
    return figure


def write_centres(
    model: ModesTransformer,
    paths: Sequence[Path],
    output: Path,
    size: tuple[int, int],
    normalisation: Normalisation,
    modes: int,
    rows: int,
) -> list[Path]:
    """Write ``centres.png``: ``rows`` crops spread over ``paths``, ``modes`` modes from top to bottom.

    The modes are those that :func:`~reid_ext.pictures.mode_maps.select_modes` chooses by all crops' mean masks.

    Raises:
        KpstraError: an unreadable image, or masks that are not finite.
    """
    crops, masks, points = [], [], []
    for some, tensors in batches(paths, *size, normalisation, "mode centres"):
        found, parts = find_centres(model, tensors)
        crops += some
        masks.append(found)
        points.append(parts.points.numpy())
    masks, points = np.concatenate(masks), np.concatenate(points)
    if not np.isfinite(masks).all():
        raise KpstraError("the modes' masks are not finite: the weights, or the images' normalisation, cannot be right")
    shown = np.unique(np.linspace(0, len(crops) - 1, min(rows, len(crops))).round().astype(int))
    chosen = select_modes(masks.mean(axis=0), modes)
    return [save(draw_centres(np.stack(crops)[shown], masks[shown], points[shown], chosen), output / "centres.png")]
