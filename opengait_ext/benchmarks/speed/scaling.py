"""Seconds of SwinGait-2D, without and with KP-RPE, against sequence length and batch: a straight line, or a step?"""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from plugins.benchmarks.speed.measure import interleaved
from plugins.common.memory import keep_freed_memory
from plugins.errors import KpstraError, one_of

from ...host.active import model_class
from ...settings.load import load_settings
from ...training.restore import Unfed, quiet
from ...training.session import adapt, choose_device, session

# size -> configurations of SwinGait2D's and SwinGait2DKPRPE's settings, and what is set in both
SIZES = {
    "small": ("opengait/pets_swingait2d", "opengait/pets_swingait2d_kprpe"),
    "full": ("opengait/swingait2d_gait3d", "opengait/swingait2d_kprpe_gait3d"),
}
PHASES = ("forward", "train step")
FIXED_BATCH = 2  # of the sweep over lengths; a train step needs two sequences
FIXED_LENGTH = 5  # of the sweep over batches


def run(
    sizes: Sequence[str],
    lengths: Sequence[int],
    batches: Sequence[int],
    repeats: int,
    allocator: str = "kept",
    device: str = "auto",
) -> list[dict[str, Any]]:
    """Measure over the embedded host.

    Args:
        sizes: of :data:`SIZES`.
        lengths: frames a sequence, for a batch of :data:`FIXED_BATCH`.
        batches: sequences, each of :data:`FIXED_LENGTH` frames.
        repeats: counted rounds; in each, every model runs at every point once.
        allocator: ``kept`` as in a run on a CPU (:func:`plugins.common.memory.keep_freed_memory`, for the rest of this
            process), or ``system``.

    Returns:
        One curve for each size, model, phase and sweep: its ``points`` and the ``line`` through their medians.
    """
    for size in sizes:
        one_of(size, SIZES, "--sizes")
    for option, values, least in (("--lengths", lengths, 1), ("--batches", batches, FIXED_BATCH)):
        if len(set(values)) < 3 or min(values) < least:
            raise KpstraError(f"{option}: {values}: expected three or more different numbers, of at least {least}")
    device, curves = choose_device(device), []
    if allocator == "kept" and device == "cpu":
        keep_freed_memory()
    with host_models(device) as build:
        for size in sizes:
            models = {type(model).__name__: model for model in map(build, SIZES[size])}
            for sweep, values in (("length", sorted(set(lengths))), ("batch", sorted(set(batches)))):
                for phase in PHASES:
                    curves += _sweep(size, models, sweep, values, phase, repeats)
    return curves


@contextmanager
def host_models(device: str, choice: str = "embedded") -> Iterator:
    """Give a function that builds the model of a configuration as a training run does, but without data.

    Args:
        device: ``cpu`` or ``cuda``.
        choice: which host, see :func:`opengait_ext.host.find.find_host`.
    """
    with session(choice, device) as (host, device), quiet(host):

        def build(config: str, overrides: Sequence[str] = ()) -> nn.Module:
            settings = load_settings(host, config, (*overrides, "trainer_cfg.restore_hint=0"))
            adapt(settings, device)
            cls = model_class(host, settings["model_cfg"]["model"])
            torch.manual_seed(0)
            return type(cls.__name__, (Unfed, cls), {})(settings, training=True)

        yield build


def batch_of(model: nn.Module, sequences: int, frames: int) -> tuple:
    """Return random input of ``sequences`` sequences, as the host's ``inputs_pretreament`` gives it."""
    device, chance = next(model.parameters()).device, torch.Generator().manual_seed(0)
    modalities = [torch.rand(sequences, frames, 64, 44, generator=chance).to(device)]
    if hasattr(model, "num_keypoints"):
        scale = torch.tensor([43.0, 63.0, 1.0])
        modalities.append((torch.rand(sequences, frames, 17, 3, generator=chance) * scale).to(device))
    return modalities, torch.arange(sequences, device=device), ["seq"] * sequences, ["view"] * sequences, None


def forward(model: nn.Module, batch: tuple) -> Tensor:
    """Run the network as a test does."""
    model.eval()
    with torch.no_grad():
        return model(batch)["inference_feat"]["embeddings"]


def train_step(model: nn.Module, batch: tuple) -> None:
    """Forward, backward of a plain loss over what the host's losses get, and the optimiser's step."""
    model.train()
    outputs = model(batch)["training_feat"]
    loss = outputs["triplet"]["embeddings"].square().mean() + outputs["softmax"]["logits"].square().mean()
    model.optimizer.zero_grad()
    loss.backward()
    model.optimizer.step()


def _sweep(
    size: str, models: dict[str, nn.Module], sweep: str, values: Sequence[int], phase: str, repeats: int
) -> list[dict[str, Any]]:
    step = forward if phase == "forward" else train_step
    runs = {}
    for value in values:
        shape = (FIXED_BATCH, value) if sweep == "length" else (value, FIXED_LENGTH)
        for name, model in models.items():
            runs[name, value] = partial(step, model, batch_of(model, *shape))
    seconds = interleaved(runs, repeats, f"{size}, {phase}, {sweep}")
    curves = []
    for name in models:
        points = [
            {
                "x": value,
                "frames": value * (FIXED_BATCH if sweep == "length" else FIXED_LENGTH),
                "seconds": statistics.median(seconds[name, value]),
                "min": min(seconds[name, value]),
                "max": max(seconds[name, value]),
            }
            for value in values
        ]
        line = straight_line([p["x"] for p in points], [p["seconds"] for p in points])
        curves.append({"size": size, "model": name, "phase": phase, "sweep": sweep, "points": points, "line": line})
    return curves


def straight_line(x: Sequence[float], y: Sequence[float]) -> dict[str, float]:
    """Fit ``y = intercept + slope * x``, every point weighing by its relative error.

    Returns:
        ``intercept``, ``slope``, ``r2`` (of y, unweighted) and ``deviation``: the largest of |y / line - 1|.
    """
    x, y = np.asarray(x, float), np.asarray(y, float)
    slope, intercept = np.polyfit(x, y, 1, w=1 / y)
    fitted = intercept + slope * x
    r2 = 1 - ((y - fitted) ** 2).sum() / ((y - y.mean()) ** 2).sum()
    return {"intercept": intercept, "slope": slope, "r2": r2, "deviation": float(np.abs(y / fitted - 1).max())}


def table(curves: list[dict[str, Any]]) -> str:
    """Return the curves as a Markdown table."""
    lines = [
        "| size | model | phase | against | ms a frame, first to last | line, ms | R² | largest deviation |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for curve in curves:
        line, points = curve["line"], curve["points"]
        rates = [1e3 * p["seconds"] / p["frames"] for p in (points[0], points[-1])]
        what = f"{curve['sweep']} {points[0]['x']} to {points[-1]['x']}"
        lines.append(
            f"| {curve['size']} | {curve['model']} | {curve['phase']} | {what} | {rates[0]:.2f} to {rates[1]:.2f} | "
            f"{1e3 * line['intercept']:.1f} + {1e3 * line['slope']:.2f} x | {line['r2']:.4f} | "
            f"{line['deviation']:.1%} |"
        )
    return "\n".join(lines)
