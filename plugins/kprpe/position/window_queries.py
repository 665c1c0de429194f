"""Where a window's queries are: their centres M, their distances and their frames."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import torch
from torch import Tensor

from .buckets import buckets_on_cpu
from .global_grid import patch_centres
from .partition import window_partition

GRIDS = ("window", "image")


def default_grid(formulation: str, rotary: str = "none") -> str:
    """Return ``image`` for the forms that relate a query to the joints, ``window`` (the paper) for the others."""
    return "image" if formulation in ("second_order", "nonlinear") or rotary != "none" else "window"


def query_grid(
    grid: str,
    window: tuple[int, ...],
    shift: tuple[int, ...],
    roll_first: bool,
    feature_size: tuple[int, int],
    device: torch.device,
) -> tuple[Tensor, Tensor | None]:
    """Return M of every window's queries (windows, n, 2), and which are real (windows, n) where some are padding."""
    time, *plane = window
    if grid == "window":
        return patch_centres(*plane).repeat(time, 1).unsqueeze(0).to(device), None
    centres = patch_centres(*feature_size).view(*feature_size, 2).to(device)
    cut = (1, *plane), (0, *shift[1:]), roll_first
    centres = window_partition(centres[None, None], *cut).repeat(1, time, 1)
    if not any(-size % w for size, w in zip(feature_size, plane, strict=True)):
        return centres, None
    real = window_partition(torch.ones(1, 1, *feature_size, 1, device=device), *cut)
    return centres, real.squeeze(-1).repeat(1, time)


def frames_of_windows(values: Tensor, time: int, shift: int, frames: int) -> Tensor:
    """Cut values (B * T, ...) of sequences of T frames into windows over time: (B * T', t, ...), zero where padded."""
    values = values.unflatten(0, (-1, frames))
    values = torch.cat((values, values.new_zeros(values.shape[0], -frames % time, *values.shape[2:])), dim=1)
    return torch.roll(values, -shift, dims=1).unflatten(1, (-1, time)).flatten(0, 1)


def buckets_of(plane: tuple[int, int], distance: str, ratio: float, time: int | None, device: torch.device) -> Tensor:
    """Return the buckets d(i, j) of a window (n, n), over ``time`` frames where it is given."""
    return buckets_on_cpu(*plane, distance, ratio, time)[0].to(device)


_known = {function: lru_cache(maxsize=256)(function) for function in (query_grid, buckets_of)}


def remembered(function: Callable) -> Callable:
    """Return a function that remembers its results on the device, where a copy would wait for it.

    Compilers and exporters, to which sizes are symbols, get the function itself.
    """
    if torch.compiler.is_compiling() or torch.jit.is_tracing():
        return function

    def remembering(*arguments):
        with torch.inference_mode(False), torch.device("cpu"):  # whatever the default device: what is kept serves all
            return _known[function](*arguments)

    return remembering
