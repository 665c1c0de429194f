"""The sums of :mod:`.neighbourhood` on CUDA: one Triton kernel each, which reads the maps where they lie."""

from __future__ import annotations

import torch
import triton
import triton.language as tl
from torch import Tensor

NODES, CHANNELS = 64, 16  # of one program


def gather_sum(weights: Tensor, values: Tensor, kernel_size: int) -> Tensor:
    """``sum_k a[k, i] u[i + o_k]`` of contiguous maps, (N, K*K, H, W) and (N, n, H, W): (N, n, H, W)."""
    return _sum(weights, values, kernel_size, scatter=False)


def scatter_sum(weights: Tensor, values: Tensor, kernel_size: int) -> Tensor:
    """``sum_k a[k, j - o_k] u[j - o_k]`` of contiguous maps, (N, K*K, H, W) and (N, n, H, W): (N, n, H, W)."""
    return _sum(weights, values, kernel_size, scatter=True)


def neighbour_products(left: Tensor, right: Tensor, kernel_size: int) -> Tensor:
    """``sum_c u[c, i] v[c, i + o_k]`` of contiguous maps (N, n, H, W): (N, K*K, H, W)."""
    count, channels, height, width = left.shape
    output = left.new_empty(count, kernel_size**2, height, width)
    grid = (count, triton.cdiv(height * width, NODES), kernel_size**2)
    if output.numel():
        _products_kernel[grid](
            left, right, output, channels, height, width, kernel_size, _sums_in(left), NODES, CHANNELS
        )
    return output


def _sum(weights: Tensor, values: Tensor, kernel_size: int, scatter: bool) -> Tensor:
    count, channels, height, width = values.shape
    output = torch.empty_like(values)
    grid = (count, triton.cdiv(height * width, NODES), triton.cdiv(channels, CHANNELS))
    if output.numel():
        _sum_kernel[grid](
            weights, values, output, channels, height, width, kernel_size, scatter, _sums_in(values), NODES, CHANNELS
        )
    return output


def _sums_in(values: Tensor) -> tl.dtype:
    return tl.float64 if values.dtype == torch.float64 else tl.float32


@triton.jit
def _sum_kernel(
    weights,
    values,
    output,
    channels,
    height,
    width,
    K: tl.constexpr,
    SCATTER: tl.constexpr,
    SUMS_IN: tl.constexpr,
    NODES: tl.constexpr,
    CHANNELS: tl.constexpr,
):
    """One image and group, NODES nodes, CHANNELS channels: weights are read once for all of them."""
    image = tl.program_id(0).to(tl.int64)
    node = tl.program_id(1) * NODES + tl.arange(0, NODES)
    channel = tl.program_id(2) * CHANNELS + tl.arange(0, CHANNELS)
    nodes = height * width
    row, column = node // width, node % width
    weights += image * K * K * nodes
    values += (image * channels + channel[:, None]) * nodes
    output += (image * channels + channel[:, None]) * nodes
    inside = (channel < channels)[:, None] & (node < nodes)[None, :]
    total = tl.zeros((CHANNELS, NODES), SUMS_IN)
    for k in tl.static_range(K * K):
        down, right = k // K - K // 2, k % K - K // 2
        if SCATTER:
            down, right = -down, -right
        there = (row + down >= 0) & (row + down < height) & (column + right >= 0) & (column + right < width)
        neighbour = node + down * width + right
        weighted = neighbour if SCATTER else node  # whose weight it is
        weight = tl.load(weights + k * nodes + weighted, mask=there & (node < nodes), other=0)
        value = tl.load(values + neighbour[None, :], mask=inside & there[None, :], other=0)
        total += weight.to(SUMS_IN)[None, :] * value.to(SUMS_IN)
    tl.store(output + node[None, :], total.to(output.dtype.element_ty), mask=inside)


@triton.jit
def _products_kernel(
    left,
    right,
    output,
    channels,
    height,
    width,
    K: tl.constexpr,
    SUMS_IN: tl.constexpr,
    NODES: tl.constexpr,
    CHANNELS: tl.constexpr,
):
    """One image and group, NODES nodes, one offset; the channels one block after the other."""
    image = tl.program_id(0).to(tl.int64)
    node = tl.program_id(1) * NODES + tl.arange(0, NODES)
    k = tl.program_id(2)
    nodes = height * width
    row, column = node // width + k // K - K // 2, node % width + k % K - K // 2
    there = (row >= 0) & (row < height) & (column >= 0) & (column < width) & (node < nodes)
    total = tl.zeros((NODES,), SUMS_IN)
    for start in range(0, channels, CHANNELS):
        channel = start + tl.arange(0, CHANNELS)
        inside = (channel < channels)[:, None] & there[None, :]
        place = (image * channels + channel[:, None]) * nodes
        one = tl.load(left + place + node[None, :], mask=inside, other=0)
        other = tl.load(right + place + (row * width + column)[None, :], mask=inside, other=0)
        total += tl.sum(one.to(SUMS_IN) * other.to(SUMS_IN), axis=0)
    tl.store(output + (image * K * K + k) * nodes + node, total.to(output.dtype.element_ty), mask=node < nodes)
