"""Interleaved timing and bytes saved for the backward."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping

import torch
from torch import Tensor
from tqdm import tqdm


def interleaved(runs: Mapping[str, Callable[[], object]], repeats: int, label: str) -> dict[str, list[float]]:
    """Time every run in turn, ``repeats`` times after one warm-up; return the seconds of each."""
    seconds: dict[str, list[float]] = {name: [] for name in runs}
    for repeat in tqdm(range(repeats + 1), desc=label, leave=False):
        for name, run in runs.items():
            _synchronize()
            start = time.perf_counter()
            run()
            _synchronize()
            if repeat:
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
