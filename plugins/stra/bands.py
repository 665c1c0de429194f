"""The sums of :mod:`.neighbourhood` on a CPU: products with band matrices, strip by strip, which stay in the cache."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import lru_cache

import torch
import torch.nn.functional as F
from torch import Tensor

STRIP = 64  # nodes whose neighbourhoods share one product: few, or the matrices leave the cache


def gather_sum(weights: Tensor, values: Tensor, kernel_size: int) -> Tensor:
    """Padded ``values`` (N, n, H, W) by the bands of ``weights`` (N, K*K, H, W): (N, n, H, W)."""
    if (extra := kernel_size - values.shape[3]) > 0:
        return _widened(gather_sum, weights, values, kernel_size, extra)
    width = values.shape[3]
    padded = F.pad(values.flatten(2), (_reach(kernel_size, width),) * 2)  # N, n, P + 2 reach
    parts = [
        padded[:, :, inner] @ band(weights[:, :, rows], kernel_size) for rows, _, inner in _strips(weights, kernel_size)
    ]
    return _joined(parts).view(values.shape)


def scatter_sum(weights: Tensor, values: Tensor, kernel_size: int) -> Tensor:
    """``values`` (N, n, H, W) by the transposed bands of ``weights`` (N, K*K, H, W), cut to the map: (N, n, H, W)."""
    if (extra := kernel_size - values.shape[3]) > 0:
        return _widened(scatter_sum, weights, values, kernel_size, extra)
    nodes, reach = values.flatten(2), _reach(kernel_size, values.shape[3])
    padded = values.new_zeros(*nodes.shape[:2], nodes.shape[2] + 2 * reach)
    for rows, outer, inner in _strips(weights, kernel_size):
        padded[:, :, inner] += nodes[:, :, outer] @ band(weights[:, :, rows], kernel_size).transpose(1, 2)
    return padded[:, :, reach : reach + nodes.shape[2]].contiguous().view(values.shape)


def neighbour_products(left: Tensor, right: Tensor, kernel_size: int) -> Tensor:
    """The diagonals of the products of ``left`` and padded ``right``, both (N, n, H, W): (N, K*K, H, W)."""
    if (extra := kernel_size - left.shape[3]) > 0:
        return _widened(neighbour_products, left, right, kernel_size, extra)
    width = left.shape[3]
    padded, nodes = F.pad(right.flatten(2), (_reach(kernel_size, width),) * 2), left.flatten(2)
    parts = [
        diagonals(padded[:, :, inner].transpose(1, 2) @ nodes[:, :, outer], kernel_size, width)
        for _, outer, inner in _strips(left, kernel_size)
    ]
    return _joined(parts)


def _widened(function: Callable[..., Tensor], left: Tensor, right: Tensor, kernel_size: int, extra: int) -> Tensor:
    """Call with maps of K columns: in narrower ones two offsets could be one entry of a band."""
    wide = function(F.pad(left, (0, extra)), F.pad(right, (0, extra)), kernel_size)
    return wide[..., : left.shape[3]].contiguous()


def _joined(parts: list[Tensor]) -> Tensor:
    return parts[0] if len(parts) == 1 else torch.cat(parts, dim=2)


def band(weights: Tensor, kernel_size: int) -> Tensor:
    """Return the matrix whose column i holds node i's weights in the rows of its neighbours.

    Args:
        weights: (N, K*K, R, W), for R rows of the map; W at least K.

    Returns:
        (N, R*W + 2 reach, R*W): rows count nodes, from ``reach`` before the first of the R*W to ``reach`` behind.
    """
    count, _, rows, width = weights.shape
    nodes = rows * width
    matrix = weights.new_zeros(count, nodes + 2 * _reach(kernel_size, width), nodes)
    weights = weights.reshape(count, kernel_size, kernel_size, rows, width)
    torch.mul(weights, _inside(width, kernel_size, weights.dtype), out=_entries(matrix, kernel_size, width))
    return matrix


def diagonals(matrix: Tensor, kernel_size: int, width: int) -> Tensor:
    """Return the (N, K*K, R, W) that :func:`band` would take from: its adjoint, for a contiguous ``matrix``."""
    entries = _entries(matrix, kernel_size, width) * _inside(width, kernel_size, matrix.dtype)
    return entries.reshape(matrix.shape[0], kernel_size**2, -1, width)


def _reach(kernel_size: int, width: int) -> int:
    """How far a neighbour is at most, in nodes counted row by row."""
    return kernel_size // 2 * (width + 1)


def _entries(matrix: Tensor, kernel_size: int, width: int) -> Tensor:
    """View the diagonals of ``matrix`` as (N, K, K, R, W)."""
    count, height, nodes = matrix.shape
    shape = (count, kernel_size, kernel_size, nodes // width, width)
    return matrix.as_strided(shape, (height * nodes, width * nodes, nodes, width * (nodes + 1), nodes + 1))


@lru_cache(maxsize=64)
def _inside(width: int, kernel_size: int, dtype: torch.dtype) -> Tensor:
    """(K, 1, W): zero where a neighbour lies beside the map; counted row by row it is a node of another row."""
    columns = torch.arange(width) + torch.arange(kernel_size)[:, None]
    radius = kernel_size // 2
    return ((columns >= radius) & (columns < width + radius))[:, None].to(dtype)


def _strips(maps: Tensor, kernel_size: int) -> Iterator[tuple[slice, slice, slice]]:
    """Yield each strip's rows, its nodes, and the padded nodes that are its neighbours."""
    height, width = maps.shape[2:]
    step = max(1, STRIP // width)
    for start in range(0, height, step):
        stop = min(start + step, height)
        yield (
            slice(start, stop),
            slice(start * width, stop * width),
            slice(start * width, stop * width + 2 * _reach(kernel_size, width)),
        )
