"""Interleaved timing and bytes saved for the backward."""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable, Mapping

import torch
from torch import Tensor
from tqdm import tqdm

LEAST = 3  # rounds of runs that are too slow for all of theirs


def interleaved(
    runs: Mapping[str, Callable[[], object]], repeats: int, label: str, warm_up: int = 1, limit: float = math.inf
) -> dict[str, list[float]]:
    """Time every run in turn, ``repeats`` times after ``warm_up`` rounds; return the seconds of each.

    After ``limit`` seconds no further round begins, but three are timed in any case (or ``repeats``, if fewer).
    """
    seconds: dict[str, list[float]] = {name: [] for name in runs}
    began = time.perf_counter()
    for repeat in tqdm(range(-warm_up, repeats), desc=label, leave=False):
        if repeat >= LEAST and time.perf_counter() - began > limit:
            break
        for name, run in runs.items():
            _synchronize()
            start = time.perf_counter()
            run()
            _synchronize()
            if repeat >= 0:
                seconds[name].append(time.perf_counter() - start)
    return seconds


def ratios(seconds: Mapping[str, list[float]], base: str) -> dict[str, dict[str, float]]:
    """Return median, minimum and maximum of each run's time over ``base``'s of the same round."""
    result = {}
    for name, values in seconds.items():
        over = [a / b for a, b in zip(values, seconds[base], strict=True)]
        result[name] = {"median": statistics.median(over), "min": min(over), "max": max(over)}
    return result


def saved_bytes(run: Callable[[], object], parameters: list[Tensor]) -> int:
    """Return the bytes that autograd keeps for the backward of ``run()``, each storage once, without the parameters."""
    own = {p.untyped_storage().data_ptr() for p in parameters}
    kept: dict[int, Tensor] = {}

    def pack(tensor: Tensor) -> Tensor:
        if tensor.untyped_storage().data_ptr() not in own:
            kept[tensor.untyped_storage().data_ptr()] = tensor
        return tensor.detach()

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda t: t):
        alive = run()
    total = sum(t.untyped_storage().nbytes() for t in kept.values())
    del alive
    return total


def _synchronize() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()
