"""Cutting sequences into shifted windows and back by one gather each, with room for padding rows."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

LANES = 16  # floats of the widest vector registers; SDPA's kernels on CUDA want masks aligned to 8


class Windows(NamedTuple):
    """How the tokens of one sequence lie in its windows; see :func:`windows_of`."""

    order: Tensor  # (windows * rows,): the token of every row; padding rows repeat a token
    inverse: Tensor  # (D * H * W,): the row of every token
    rows: int  # of a window, padding included
    tokens: int  # n, of a window


def padded_length(tokens: int) -> int:
    """Return how many rows to give a window of n tokens: the next multiple of 16 if at most an eighth is wasted.

    Vector units work through 16 columns several times faster than through 15.
    """
    rows = -(-tokens // LANES) * LANES
    return rows if rows - tokens <= tokens // 8 else tokens


def windows_of(size: Sequence[int], window: Sequence[int], shift: Sequence[int], device: torch.device) -> Windows:
    """Return the windows of features (D, H, W), each a multiple of its window's side, after the cyclic shift."""
    return _windows_of(tuple(size), tuple(window), tuple(shift), device)


@lru_cache(maxsize=256)
def _windows_of(size: tuple, window: tuple, shift: tuple, device: torch.device) -> Windows:
    with torch.inference_mode(False):  # what is remembered must serve training too
        tokens = math.prod(window)
        grid = torch.arange(math.prod(size), device="cpu").view(size).roll([-step for step in shift], dims=(0, 1, 2))
        for axis, side in zip((0, 2, 4), window, strict=True):
            grid = grid.unflatten(axis, (-1, side))  # D/d, d, H/h, h, W/w, w
        cells = grid.permute(0, 2, 4, 1, 3, 5).reshape(-1, tokens)  # windows, n
        rows = padded_length(tokens)
        order = torch.cat((cells, cells[:, :1].expand(-1, rows - tokens)), dim=1)
        places = torch.arange(order.numel(), device="cpu").view_as(order)[:, :tokens]
        inverse = torch.empty(grid.numel(), dtype=torch.long, device="cpu")
        inverse[cells.flatten()] = places.flatten()
        return Windows(order.flatten().to(device), inverse.to(device), rows, tokens)


def window_partition(x: Tensor, windows: Windows) -> Tensor:
    """Cut (B, D * H * W, C) into (B * windows, rows, C)."""
    return _Cut.apply(x, windows.order, windows.inverse).view(-1, windows.rows, x.shape[-1])


def window_reverse(y: Tensor, windows: Windows) -> Tensor:
    """Undo :func:`window_partition`, dropping the padding rows: (B * windows, rows, C) to (B, D * H * W, C)."""
    return _Join.apply(y.view(-1, len(windows.order), y.shape[-1]), windows)


class _Cut(torch.autograd.Function):
    """A gather whose gradient is a gather too: padding rows have none."""

    @staticmethod
    def forward(ctx, x: Tensor, order: Tensor, inverse: Tensor) -> Tensor:
        ctx.save_for_backward(inverse)
        return x.index_select(1, order)

    @staticmethod
    @once_differentiable
    def backward(ctx, gradient: Tensor) -> tuple[Tensor, None, None]:
        return gradient.index_select(1, ctx.saved_tensors[0]), None, None


class _Join(torch.autograd.Function):
    @staticmethod
    def forward(ctx, y: Tensor, windows: Windows) -> Tensor:
        ctx.windows = windows
        return y.index_select(1, windows.inverse)

    @staticmethod
    @once_differentiable
    def backward(ctx, gradient: Tensor) -> tuple[Tensor, None]:
        order, _, rows, tokens = ctx.windows
        gradient = gradient.index_select(1, order)
        gradient.unflatten(1, (-1, rows))[:, :, tokens:] = 0
        return gradient, None
