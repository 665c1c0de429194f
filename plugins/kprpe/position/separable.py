"""Biases of the product distance in training: the gradient of all N x N scores goes straight to the small tables.

The product bucket of a pair is its row bucket times its column bucket, so a sum over all pairs of a bucket is two small
products with one-hot matrices; the transpose of a look-up adds number after number instead.
"""

from __future__ import annotations

from functools import lru_cache

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable

from .buckets import relative_buckets
from .lookup import lookup, lookup_queries


def separable_bias(
    level: Tensor,
    slope: Tensor | None,
    offset: Tensor,
    index: Tensor,
    centres: Tensor,
    grid: tuple[int, int],
    ratio: float,
) -> Tensor:
    """Return ``B_ij = level[k] + M_i . slope[k] + offset[k]`` with k = d(i, j), the product distance.

    Args:
        level: (heads, K); ``slope``: (heads, K, 2) or ``None``: the static part of f(P).
        offset: (B, heads, K), the image's part.
        index: d, (N, N); ``centres``: M, (N, 2); ``grid``: (height, width); ``ratio``: of the buckets.

    Returns:
        (B, heads, N, N). It can be differentiated once.
    """
    with torch.autocast(level.device.type, enabled=False):
        return _SeparableBias.apply(level, slope, offset, index, centres, grid, ratio)


class _SeparableBias(torch.autograd.Function):
    @staticmethod
    def forward(ctx, level, slope, offset, index, centres, grid, ratio) -> Tensor:
        ctx.grid, ctx.ratio, ctx.sloped = grid, ratio, slope is not None
        static = level.unsqueeze(1).expand(-1, len(centres), -1)
        if slope is not None:
            static = static + centres.to(slope.dtype) @ slope.transpose(1, 2)
        return lookup(offset, index).add_(lookup_queries(static, index))

    @staticmethod
    @once_differentiable
    def backward(ctx, gradient: Tensor) -> tuple[Tensor | None, ...]:
        batch, heads = gradient.shape[:2]
        height, width = ctx.grid
        rows, columns, rows_y, columns_x = selectors(height, width, ctx.ratio, gradient.device, gradient.dtype)
        pairs = gradient.view(batch * heads, height, width, height, width).transpose(2, 3)
        pairs = pairs.reshape(batch * heads, height * height, width * width)  # of rows, of columns
        slope = None
        with torch.autocast(gradient.device.type, enabled=False):
            summed, summed_y = (torch.cat((rows, rows_y)) @ pairs).chunk(2, dim=1)  # B * heads, side, width^2
            level = (summed @ columns).view(batch, heads, -1)
            if ctx.sloped:
                x, y = (
                    (part @ matrix).view(batch, heads, -1).sum(0)
                    for part, matrix in ((summed, columns_x), (summed_y, columns))
                )
                slope = torch.stack((x, y), dim=-1)
        return level.sum(0), slope, level, None, None, None, None


@lru_cache(maxsize=64)
def selectors(height: int, width: int, ratio: float, device: torch.device, dtype: torch.dtype) -> tuple[Tensor, ...]:
    """Return what sums pairs of rows (side, height^2) and of columns (width^2, side) by bucket, plain and weighted.

    The weights are the query's y and x in [0, 1].
    """
    with torch.inference_mode(False):
        index, buckets = relative_buckets(height, width, "product", ratio)
        side = round(buckets**0.5)
        pairs = index.view(height, width, height, width)
        rows = F.one_hot(pairs[:, 0, :, 0] // side, side).to(device, dtype)  # query, key, side
        columns = F.one_hot(pairs[0, :, 0, :] % side, side).to(device, dtype)
        y = ((torch.arange(height, device=device) + 0.5) / height).to(dtype).view(-1, 1, 1)
        x = ((torch.arange(width, device=device) + 0.5) / width).to(dtype).view(-1, 1, 1)
        by_row, by_row_y = (t.flatten(0, 1).T.contiguous() for t in (rows, rows * y))
        return by_row, columns.flatten(0, 1), by_row_y, (columns * x).flatten(0, 1)
