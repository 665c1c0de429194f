"""Biases of the product distance in training: the gradient of all N x N scores is summed by products, not one by one.

The product bucket of a pair is its row bucket times its column bucket, so a sum over all pairs of a bucket is two small
products with one-hot matrices; the transpose of a look-up adds number after number instead.
"""

from __future__ import annotations

from functools import lru_cache

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable

from .buckets import buckets_on_cpu
from .expansion import POWERS, monomials
from .lookup import lookup, lookup_queries


def separable_polynomial(
    static: Tensor, image: Tensor, index: Tensor, centres: Tensor, grid: tuple[int, int], ratio: float
) -> Tensor:
    """Return ``B_ij = monomials(M_i) . (C[k] + U[k])`` with k = d(i, j), the product distance.

    The gradient of the scores goes straight to the coefficients; no table of a query's own has one.

    Args:
        static: C, (S, heads, K), S = 1, 3 or 6; ``image``: U, (B, R, heads, K).
        index: d, (N, N); ``centres``: M, (N, 2); ``grid``: (height, width); ``ratio``: of the buckets.

    Returns:
        (B, heads, N, N). It can be differentiated once.
    """
    with torch.autocast(image.device.type, enabled=False):
        return _SeparablePolynomial.apply(static, image, index, centres, grid, ratio)


def separable_lookup(tables: Tensor, index: Tensor, grid: tuple[int, int], ratio: float) -> Tensor:
    """Return ``tables[..., i, d(i, j)]``, as :func:`lookup_queries` for the product distance.

    Args:
        tables: (B, heads, N, K).
        index: d, (N, N), or with columns beyond N that are cut off again: rows of such a length are aligned in memory.
        grid, ratio: (height, width), and the ratio of the buckets.

    Returns:
        (B, heads, N, N). It can be differentiated once.
    """
    return _SeparableLookup.apply(tables, index, grid, ratio)


class _SeparablePolynomial(torch.autograd.Function):
    @staticmethod
    def forward(ctx, static, image, index, centres, grid, ratio) -> Tensor:
        ctx.grid, ctx.ratio, ctx.ranks = grid, ratio, (static.shape[0], image.shape[1])
        rank = ctx.ranks[1]
        tables = monomials(centres.to(static.dtype), len(static)) @ static.transpose(0, 1)  # heads, N, K
        if rank == 1:
            return lookup(image[:, 0], index).add_(lookup_queries(tables, index))
        return lookup_queries(monomials(centres.to(image.dtype), rank) @ image.transpose(1, 2) + tables, index)

    @staticmethod
    @once_differentiable
    def backward(ctx, gradient: Tensor) -> tuple[Tensor | None, ...]:
        batch, heads = gradient.shape[:2]
        (height, width), powers = ctx.grid, POWERS[: max(ctx.ranks)]
        highest = max(max(power) for power in powers)
        rows, columns = weighted_selectors(height, width, ctx.ratio, highest, gradient.device, gradient.dtype)
        pairs = gradient.reshape(batch * heads, height, width, height, width).transpose(2, 3)
        pairs = pairs.reshape(batch * heads, height * height, width * width)  # of rows, of columns
        with torch.autocast(gradient.device.type, enabled=False):
            summed = (rows @ pairs @ columns).unflatten(1, (highest + 1, -1)).unflatten(3, (highest + 1, -1))
        terms = [summed[:, y, :, x].flatten(1).view(batch, heads, -1) for x, y in powers]
        terms = torch.stack(terms, dim=1)  # B, rank, heads, K
        return terms[:, : ctx.ranks[0]].sum(0), terms[:, : ctx.ranks[1]], None, None, None, None


class _SeparableLookup(torch.autograd.Function):
    @staticmethod
    def forward(ctx, tables: Tensor, index: Tensor, grid: tuple[int, int], ratio: float) -> Tensor:
        ctx.grid, ctx.ratio = grid, ratio
        return lookup_queries(tables, index)[..., : tables.shape[-2]]

    @staticmethod
    @once_differentiable
    def backward(ctx, gradient: Tensor) -> tuple[Tensor | None, ...]:
        height, width = ctx.grid
        kept, gradient = gradient.dtype, gradient.to(torch.promote_types(gradient.dtype, torch.float32))
        rows, columns = selectors(height, width, ctx.ratio, gradient.device, gradient.dtype)
        pairs = gradient.reshape(-1, height, width, height, width)  # B * heads, query y x, key y x
        with torch.autocast(gradient.device.type, enabled=False):
            by_x = pairs.permute(2, 0, 1, 3, 4).reshape(width, -1, width) @ columns  # query x, ..., column bucket
            by_x = by_x.view(width, -1, height, height, columns.shape[-1])
            by_y = by_x.permute(2, 1, 0, 4, 3).reshape(height, -1, height) @ rows  # query y, ..., row bucket
        side = rows.shape[-1]
        tables = by_y.view(height, -1, width, side, side).permute(1, 0, 2, 4, 3)
        return tables.reshape(*gradient.shape[:-1], side * side).to(kept), None, None, None


@lru_cache(maxsize=64)
def selectors(height: int, width: int, ratio: float, device: torch.device, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """Return for every query's row its keys' row buckets, one-hot (height, height, side), and the same of columns."""
    with torch.inference_mode(False):
        index, buckets = buckets_on_cpu(height, width, "product", ratio, None)
        side = round(buckets**0.5)
        pairs = index.view(height, width, height, width)
        rows, columns = pairs[:, 0, :, 0] // side, pairs[0, :, 0, :] % side
        return F.one_hot(rows, side).to(device, dtype), F.one_hot(columns, side).to(device, dtype)


@lru_cache(maxsize=64)
def weighted_selectors(
    height: int, width: int, ratio: float, highest: int, device: torch.device, dtype: torch.dtype
) -> tuple[Tensor, Tensor]:
    """Return what sums pairs of rows (P * side, height^2) and of columns (width^2, P * side) by bucket.

    The P = ``highest`` + 1 blocks are weighted by the powers 0, 1, .. of the query's y, or x, in [0, 1].
    """
    with torch.inference_mode(False):
        rows, columns = selectors(height, width, ratio, device, dtype)
        y = ((torch.arange(height, device=device) + 0.5) / height).to(dtype).view(-1, 1, 1)
        x = ((torch.arange(width, device=device) + 0.5) / width).to(dtype).view(-1, 1, 1)
        by_row = torch.cat([(rows * y**power).flatten(0, 1).T for power in range(highest + 1)])
        by_column = torch.cat([(columns * x**power).flatten(0, 1) for power in range(highest + 1)], dim=1)
        return by_row, by_column
