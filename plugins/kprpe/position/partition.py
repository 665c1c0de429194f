"""Swin's shifted windows over (frames, rows, columns), in the order of the hosts."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor


def effective_window(
    size: Sequence[int], window: Sequence[int], shift: Sequence[int], shrink: bool
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return (window, shift) as hosts use them: an axis no longer than its window is not shifted.

    With ``shrink`` (OpenGait, torchvision's 3-D) such a window also becomes as short as the axis.
    """
    sizes = list(zip(size, window, shift, strict=True))
    used = tuple(min(n, w) if shrink else w for n, w, _ in sizes)
    return used, tuple(0 if n <= w else s for n, w, s in sizes)


def padded_size(size: Sequence[int], window: Sequence[int]) -> tuple[int, ...]:
    """Return the size filled up to whole windows."""
    return tuple(-(-n // side) * side for n, side in zip(size, window, strict=True))


def window_partition(x: Tensor, window: Sequence[int], shift: Sequence[int], roll_first: bool = False) -> Tensor:
    """Pad with zeros, roll and cut (B, T, H, W, C) into windows: (B * windows, n, C).

    ``roll_first``: roll, then pad, as timm does.
    """
    padded = padded_size(x.shape[1:4], window)
    frames, rows, columns = (to - n for to, n in zip(padded, x.shape[1:4], strict=True))
    padding, steps = (0, 0, 0, columns, 0, rows, 0, frames), [-step for step in shift]
    x = F.pad(_rolled(x, steps), padding) if roll_first else _rolled(F.pad(x, padding), steps)
    for axis, side in zip((1, 3, 5), window, strict=True):
        x = x.unflatten(axis, (-1, side))  # B, T/t, t, H/h, h, W/w, w, C
    return x.permute(0, 1, 3, 5, 2, 4, 6, 7).reshape(-1, math.prod(window), x.shape[-1])


def window_reverse(y: Tensor, window: Sequence[int], shift: Sequence[int], size: Sequence[int]) -> Tensor:
    """Undo :func:`window_partition`: (B * windows, n, C) to (B, T, H, W, C) of ``size`` (T, H, W)."""
    padded = padded_size(size, window)
    counts = [n // side for n, side in zip(padded, window, strict=True)]
    y = y.reshape(-1, *counts, *window, y.shape[-1]).permute(0, 1, 4, 2, 5, 3, 6, 7)
    y = _rolled(y.reshape(-1, *padded, y.shape[-1]), shift)
    return y[:, : size[0], : size[1], : size[2]].contiguous()


def shift_mask(size: Sequence[int], window: Sequence[int], shift: Sequence[int], device: torch.device) -> Tensor:
    """Return (windows, n, n): -100 between tokens that only the cyclic shift brought into one window, else 0."""
    padded = padded_size(size, window)
    region = torch.zeros(*padded, device=device)
    for axis, (length, side, step) in enumerate(zip(padded, window, shift, strict=True)):
        if step:
            place = torch.arange(length, device=device).view([-1 if i == axis else 1 for i in range(3)])
            region = 3 * region + (place >= length - side).float() + (place >= length - step).float()
    cells = window_partition(region[None, ..., None], window, (0, 0, 0))  # windows, n, 1
    return torch.where(cells == cells.transpose(1, 2), 0.0, -100.0)


def _rolled(x: Tensor, steps: Sequence[int]) -> Tensor:
    return x.roll(tuple(steps), dims=(1, 2, 3)) if any(steps) else x
