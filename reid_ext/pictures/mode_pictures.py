"""Pictures of what the modes of a StRA network attend to (paper, Figs. 3 and 4)."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from contextlib import redirect_stdout
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image
from torch import nn
from tqdm import tqdm

from plugins.common.files import atomic_write
from plugins.errors import KpstraError

from ..data.images import read_image
from ..host import torchreid
from .mode_maps import ModeMaps, collect_maps, high_activation_share, join, select_modes

HEAT = "inferno"
BATCH = 32
PARTS = "attention coefficient r"
KINDS = {"local attention output": "local", PARTS: "coefficient", "module output": "output"}  # fields of ModeMaps
SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp")


def find_images(paths: Sequence[str | Path]) -> list[Path]:
    """List image files: each of ``paths`` is one, or a folder of them."""
    found: list[Path] = []
    for path in map(Path, paths):
        if path.is_dir():
            inside = sorted(p for p in path.iterdir() if p.suffix.lower() in SUFFIXES)
            if not inside:
                raise KpstraError(f"--images: {path}: no {', '.join(SUFFIXES)} file in this folder")
            found += inside
        elif path.is_file():
            found.append(path)
        else:
            raise KpstraError(f"--images: {path}: no such file or folder")
    return found


class Normalisation(NamedTuple):
    """Mean and standard deviation of red, green and blue in [0, 1]; torchreid's default is ImageNet's."""

    norm_mean: Sequence[float] = (0.485, 0.456, 0.406)
    norm_std: Sequence[float] = (0.229, 0.224, 0.225)


IMAGENET = Normalisation()


def read_images(
    paths: Sequence[Path], height: int, width: int, normalisation: Normalisation = IMAGENET
) -> Iterator[tuple[np.ndarray, torch.Tensor]]:
    """Yield each crop as (H, W, 3) uint8 to look at and as the host's test transform gives it, (3, H, W)."""
    with redirect_stdout(io.StringIO()):  # the host tells each step of both its transforms
        _, transform = torchreid.data.transforms.build_transforms(
            height, width, transforms=None, **{name: list(values) for name, values in normalisation._asdict().items()}
        )
    for path in paths:
        image = read_image(str(path))
        yield np.asarray(image.resize((width, height), Image.Resampling.BILINEAR)), transform(image)


def batches(
    paths: Sequence[Path], height: int, width: int, normalisation: Normalisation, told: str
) -> Iterator[tuple[list[np.ndarray], torch.Tensor]]:
    """Yield :func:`read_images` by up to :data:`BATCH`, the tensors stacked, with progress called ``told``."""
    images = read_images(paths, height, width, normalisation)
    with tqdm(total=len(paths), desc=told) as progress:
        while batch := list(islice(images, BATCH)):
            yield [crop for crop, _ in batch], torch.stack([tensor for _, tensor in batch])
            progress.update(len(batch))


def collect(
    model: nn.Module,
    paths: Sequence[Path],
    height: int,
    width: int,
    block: str | None = None,
    normalisation: Normalisation = IMAGENET,
) -> tuple[np.ndarray, ModeMaps]:
    """Return the crops (images, H, W, 3) uint8 and the maps of one block over all of them."""
    crops, maps = [], []
    for some, tensors in batches(paths, height, width, normalisation, "mode maps"):
        crops += some
        maps.append(collect_maps(model, tensors, block))
    return np.stack(crops), join(maps)


def draw_modes(crops: np.ndarray, maps: ModeMaps, modes: Sequence[int], kinds: Sequence[str] = tuple(KINDS)) -> Figure:
    """Draw Fig. 3: a row for each crop; for each shown mode its local output, its coefficients and the block's output.

    Every heat map is scaled from its own minimum (dark) to its own maximum (bright).

    Args:
        crops: (images, H, W, 3) uint8.
        maps: of these crops.
        modes: the numbers of the modes that are shown.
        kinds: of :data:`KINDS`; a block of columns for each.
    """
    count, columns = len(modes), 1 + len(kinds) * len(modes)
    aspect = crops.shape[1] / crops.shape[2]
    figure = Figure(figsize=(0.78 * columns + 0.6, 0.78 * aspect * len(crops) + 0.75), dpi=110)
    ratios = [1.0] + ([0.22] + [1.0] * count) * len(kinds)
    grid = figure.add_gridspec(
        len(crops),
        len(ratios),
        width_ratios=ratios,
        wspace=0.05,
        hspace=0.05,
        left=0.01,
        right=0.99,
        bottom=0.01,
        top=1 - 0.62 / figure.get_figheight(),
    )
    for row, crop in enumerate(crops):
        show(figure.add_subplot(grid[row, 0]), crop)
        for k, kind in enumerate(kinds):
            values = getattr(maps, KINDS[kind])
            for i, mode in enumerate(modes):
                axes = figure.add_subplot(grid[row, 2 + k * (count + 1) + i])
                show(axes, crop, values[row, mode])
                if row == 0:
                    axes.set_title(f"mode {mode}", fontsize=7, pad=3)
                    if i == 0:
                        axes.annotate(kind, (0, 1), (0, 16), "axes fraction", "offset points", fontsize=9)
    return figure


def draw_distribution(crops: np.ndarray, maps: ModeMaps) -> Figure:
    """Draw Fig. 4: for all modes, over the mean crop, where each takes its vector from and where it is most active."""
    mean_crop = crops.mean(axis=0)
    mean_crop = (255 * (mean_crop - mean_crop.min()) / max(np.ptp(mean_crop), 1)).astype(np.uint8)
    mask, share = maps.mask.mean(axis=0), high_activation_share(maps.coefficient)
    per_line = 8
    lines = -(-len(mask) // per_line)
    aspect = crops.shape[1] / crops.shape[2]
    figure = Figure(figsize=(1.0 * per_line + 0.5, (1.0 * aspect + 0.25) * 2 * lines + 0.7), dpi=110)
    grid = figure.add_gridspec(
        2, 1, hspace=0.32 / lines, left=0.01, right=0.99, bottom=0.01, top=1 - 0.55 / figure.get_figheight()
    )
    titles = (
        f"Mask M: where each mode's vector comes from, mean over {len(crops)} crops",
        "Attention coefficient r: share of crops in which a place is among the mode's top 10 %",
    )
    for part, (title, values) in enumerate(zip(titles, (mask, share), strict=True)):
        inner = grid[part].subgridspec(lines, per_line, wspace=0.05, hspace=0.22)
        for g, value in enumerate(values):
            axes = figure.add_subplot(inner[g // per_line, g % per_line])
            show(axes, mean_crop, value)
            axes.set_title(f"mode {g}: peak {value.max():.2f}", fontsize=6.5, pad=2)
            if g == 0:
                axes.annotate(title, (0, 1), (0, 15), "axes fraction", "offset points", fontsize=9, weight="bold")
    return figure


def save(figure: Figure, path: Path) -> Path:
    """Write ``figure`` as a PNG, whole or not at all."""
    buffer = io.BytesIO()
    FigureCanvasAgg(figure).print_png(buffer)
    with atomic_write(path) as stream:
        stream.write(buffer.getvalue())
    return path


def write_pictures(
    model: nn.Module,
    paths: Sequence[Path],
    output: Path,
    height: int,
    width: int,
    block: str | None = None,
    modes: int = 4,
    rows: int = 6,
    normalisation: Normalisation = IMAGENET,
) -> list[Path]:
    """Write ``modes.png`` (Fig. 3, ``rows`` crops over ``paths``), ``parts.png`` (of it where each mode is active)
    and ``distribution.png`` (Fig. 4, all)."""
    crops, maps = collect(model, paths, height, width, block, normalisation)
    chosen = select_modes(maps.mask.mean(axis=0), modes)
    shown = np.unique(np.linspace(0, len(crops) - 1, min(rows, len(crops))).round().astype(int))
    few = ModeMaps(*(m[shown] for m in maps))
    return [
        save(draw_modes(crops[shown], few, chosen), output / "modes.png"),
        save(draw_modes(crops[shown], few, chosen, [PARTS]), output / "parts.png"),
        save(draw_distribution(crops, maps), output / "distribution.png"),
    ]


def show(axes, crop: np.ndarray, heat: np.ndarray | None = None) -> None:
    """Draw a crop (H, W, 3), or in grey below a heat map (h, w)."""
    axes.set_axis_off()
    if heat is None:
        axes.imshow(crop)
        return
    extent = (0, crop.shape[1], crop.shape[0], 0)
    axes.imshow(crop.mean(axis=2), cmap="gray", vmin=0, vmax=255, extent=extent)
    axes.imshow(heat, cmap=HEAT, alpha=0.62, interpolation="bicubic", extent=extent)
