"""Weighted sums over K x K neighbourhoods with zero padding, as products with band matrices."""

from __future__ import annotations

from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor

STRIP = 64  # nodes whose neighbourhoods share one product: few, or the matrices leave the cache


def shifts(x: Tensor, kernel_size: int) -> Iterator[Tensor]:
    """Yield the K*K zero-padded shifts of ``x`` (..., H, W), row by row: the columns of an unfold, one by one."""
    height, width = x.shape[-2:]
    padding = kernel_size // 2
    padded = F.pad(x, (padding,) * 4)
    for top in range(kernel_size):
        for left in range(kernel_size):
            yield padded[..., top : top + height, left : left + width]


def aggregate(weights: Tensor, values: Tensor, kernel_size: int) -> Tensor:
    """Return ``sum_j a_ij u(x_j)`` over the neighbourhood of every node (the sum in eq. 2).

    Args:
        weights: ``a_ij``, (B, G, K*K, H, W).
        values: ``u(x)``, (B, C, H, W); group g owns the channels [g C/G, (g+1) C/G).

    Returns:
        (B, C, H, W). Only ``weights`` and ``values`` are kept for the backward.
    """
    batch, groups, _, height, width = weights.shape
    if torch.onnx.is_in_onnx_export():  # it knows no operators of ours
        return sum_of_shifts(weights, values, kernel_size)
    if width < kernel_size:  # two offsets of such a narrow map could be one entry of a band: widen it, cut it again
        extra = (0, kernel_size - width)
        return aggregate(F.pad(weights, extra), F.pad(values, extra), kernel_size)[..., :width]
    grouped = values.reshape(batch * groups, -1, height * width)  # B*G, n, P
    weights = weights.to(values.dtype).reshape(batch * groups, -1, height, width)
    return banded_product(weights, grouped, kernel_size).reshape(values.shape)


def sum_of_shifts(weights: Tensor, values: Tensor, kernel_size: int) -> Tensor:
    """As :func:`aggregate`, by the formula: every shift of the values times its weights."""
    grouped = values.unflatten(1, (weights.shape[1], -1))  # B, G, n, H, W
    terms = zip(weights.unsqueeze(3).unbind(2), shifts(grouped, kernel_size), strict=True)
    return sum(weight * shifted for weight, shifted in terms).flatten(1, 2)


@torch.library.custom_op("kpstra::banded_product", mutates_args=())
def banded_product(weights: Tensor, values: Tensor, kernel_size: int) -> Tensor:
    """Multiply padded ``values`` (N, n, P) by the bands of ``weights`` (N, K*K, H, W), strip by strip: (N, n, P).

    An operator of its own: FLOP counters know products only, and should count this weighted sum as little when it is
    made of products, most of them with zeros, as when it is not.
    """
    width = weights.shape[3]
    with torch.autocast(values.device.type, enabled=False):
        padded = _pad(values, kernel_size, width)
        parts = [
            padded[:, :, inner] @ band(weights[:, :, rows], kernel_size)
            for rows, _, inner in _strips(weights, kernel_size)
        ]
        return parts[0] if len(parts) == 1 else torch.cat(parts, dim=2)


@banded_product.register_fake
def _shape(weights: Tensor, values: Tensor, kernel_size: int) -> Tensor:
    return values.new_empty(values.shape)


def _keep(ctx, inputs: tuple[Tensor, Tensor, int], output: Tensor) -> None:
    weights, values, ctx.kernel_size = inputs
    ctx.save_for_backward(weights, values)


def _backward(ctx, grad: Tensor) -> tuple[Tensor | None, Tensor | None, None]:
    """Make padding and bands again; of differentiable operations, so that second derivatives come out right."""
    weights, values = ctx.saved_tensors
    k, width = ctx.kernel_size, weights.shape[3]
    to_weights, to_padded = [], None
    with torch.autocast(values.device.type, enabled=False):
        padded = _pad(values, k, width)
        if ctx.needs_input_grad[1]:
            to_padded = torch.zeros_like(padded)
        for rows, outer, inner in _strips(weights, k):
            if ctx.needs_input_grad[0]:
                to_weights.append(diagonals(padded[:, :, inner].transpose(1, 2) @ grad[:, :, outer], k, width))
            if ctx.needs_input_grad[1]:
                to_padded[:, :, inner] += grad[:, :, outer] @ band(weights[:, :, rows], k).transpose(1, 2)
        to_values = None if to_padded is None else to_padded.narrow(2, _reach(k, width), values.shape[2])
        return torch.cat(to_weights, dim=2) if to_weights else None, to_values, None


banded_product.register_autograd(_backward, setup_context=_keep)


def band(weights: Tensor, kernel_size: int) -> Tensor:
    """Return the matrix whose column i holds node i's weights in the rows of its neighbours.

    Args:
        weights: (N, K*K, R, W), for R rows of the map.

    Returns:
        (N, R*W + 2 reach, R*W): rows count nodes, from ``reach`` before the first of the R*W to ``reach`` behind.
    """
    count, _, rows, width = weights.shape
    nodes = rows * width
    matrix = weights.new_zeros(count, nodes + 2 * _reach(kernel_size, width), nodes)
    _entries(matrix, kernel_size, width).copy_(_inside(weights, kernel_size))
    return matrix


def diagonals(matrix: Tensor, kernel_size: int, width: int) -> Tensor:
    """Return the (N, K*K, R, W) that :func:`band` would take from: its adjoint, for a contiguous ``matrix``."""
    entries = _entries(matrix, kernel_size, width)
    return _inside(entries, kernel_size).reshape(matrix.shape[0], kernel_size**2, -1, width)


def _reach(kernel_size: int, width: int) -> int:
    """How far a neighbour is at most, in nodes counted row by row."""
    return kernel_size // 2 * (width + 1)


def _pad(values: Tensor, kernel_size: int, width: int) -> Tensor:
    return F.pad(values, (_reach(kernel_size, width),) * 2)  # N, n, P + 2 reach


def _entries(matrix: Tensor, kernel_size: int, width: int) -> Tensor:
    """View the diagonals of ``matrix`` as (N, K, K, R, W)."""
    count, height, nodes = matrix.shape
    shape = (count, kernel_size, kernel_size, nodes // width, width)
    return matrix.as_strided(shape, (height * nodes, width * nodes, nodes, width * (nodes + 1), nodes + 1))


def _inside(weights: Tensor, kernel_size: int) -> Tensor:
    """Zero the weights of neighbours that lie beside the map: counted row by row they are nodes of another row."""
    width = weights.shape[-1]
    columns = torch.arange(width, device=weights.device) + torch.arange(kernel_size, device=weights.device)[:, None]
    radius = kernel_size // 2
    inside = (columns >= radius) & (columns < width + radius)  # K, W
    weights = weights.reshape(weights.shape[0], kernel_size, kernel_size, -1, width)
    return weights * inside[:, None].to(weights.dtype)


def _strips(weights: Tensor, kernel_size: int) -> Iterator[tuple[slice, slice, slice]]:
    """Yield each strip's rows, its nodes, and the padded nodes that are its neighbours."""
    height, width = weights.shape[2:]
    step = max(1, STRIP // width)
    for start in range(0, height, step):
        stop = min(start + step, height)
        yield (
            slice(start, stop),
            slice(start * width, stop * width),
            slice(start * width, stop * width + 2 * _reach(kernel_size, width)),
        )
