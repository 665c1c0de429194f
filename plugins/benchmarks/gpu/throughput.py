"""Images per second and peak memory of networks, timed in turn."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import Any

import torch
from torch import nn

from ..speed.measure import interleaved, ratios
from .page import PHASES

PRECISIONS = {"float32": None, "AMP bfloat16": torch.bfloat16}
WARM_UP = 2  # rounds: kernels are picked and loaded, memory is taken from the driver


def autocast(device: torch.device, precision: str) -> AbstractContextManager:
    """Return the autocast of one of :data:`PRECISIONS`."""
    dtype = PRECISIONS[precision]
    return torch.autocast(device.type, dtype or torch.bfloat16, enabled=dtype is not None)


def measure(
    networks: Mapping[str, nn.Module],
    steps: Mapping[str, Callable[[nn.Module], object]],
    images: int,
    repeats: int,
    limit: float,
    label: str,
    **setting: Any,
) -> list[dict[str, Any]]:
    """Time every phase of every network.

    Args:
        networks: by name; the first is what the others are divided by.
        steps: one for each of :data:`PHASES`.
        images: of a step.
        repeats: counted rounds, fewer where a phase would take longer than ``limit`` seconds; three at least.
        label: of the progress bar.
        **setting: what else the rows say, such as the batch.

    Returns:
        A row for each network: ``network``, ``images``, the setting, and for each phase the images per second and
        seconds of the median round, the time over the first network's in the same round (``over``), the rounds, and the
        peak memory in bytes beyond the weights of all networks (``None`` on a CPU).
    """
    rows: list[dict[str, Any]] = [{"network": name, "images": images, **setting} for name in networks]
    base = next(iter(networks))
    for phase in PHASES:
        runs = {name: (lambda net=net, step=steps[phase]: step(net)) for name, net in networks.items()}
        seconds = interleaved(runs, repeats, f"{label}, {phase}", WARM_UP, limit)
        over = ratios(seconds, base)
        for row in rows:
            name = row["network"]
            median = statistics.median(seconds[name])
            row[phase] = {
                "images per second": images / median,
                "seconds": median,
                "over": over[name],
                "rounds": len(seconds[name]),
                "peak bytes": peak_bytes(networks[name], runs[name]),
            }
    return rows


def peak_bytes(network: nn.Module, run: Callable[[], object]) -> int | None:
    """Return what a step takes on CUDA at its peak, gradients included, beyond what was held before."""
    if not next(network.parameters()).is_cuda:
        return None
    network.zero_grad(set_to_none=True)
    torch.cuda.synchronize()
    before = torch.cuda.memory_allocated()
    torch.cuda.reset_peak_memory_stats()
    run()
    torch.cuda.synchronize()
    peak = torch.cuda.max_memory_allocated() - before
    network.zero_grad(set_to_none=True)
    return peak
