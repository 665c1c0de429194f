"""Distance buckets d(i, j) of pairs of patches: iRPE's piecewise index on product, Euclidean, quantised and cross
distances (Wu et al., ICCV 2021, eq. 18; KP-RPE paper, section 3.1)."""

from __future__ import annotations

import math
from functools import lru_cache

import torch
from torch import Tensor

from ...errors import KpstraError, one_of

DISTANCES = ("product", "euclidean", "quant", "cross")


def piecewise_index(offset: Tensor, ratio: float) -> Tensor:
    """Map offsets to integers in [-int(beta), int(beta)]: exact near zero, logarithmic further out.

    alpha = ratio, beta = 2 ratio, gamma = 8 ratio. The clipped value is truncated, so beta = 3.8 gives 3.
    """
    alpha, beta, gamma = ratio, 2 * ratio, 8 * ratio
    offset = offset.double()
    magnitude = offset.abs()
    far = alpha + torch.log(magnitude.clamp(min=alpha) / alpha) / math.log(gamma / alpha) * (beta - alpha)
    far = offset.sign() * far.round().clamp(max=beta)
    return torch.where(magnitude <= alpha, offset.round(), far).long()  # .long() truncates


def relative_buckets(
    height: int, width: int, distance: str = "product", ratio: float = 1.9, time: int | None = None
) -> tuple[Tensor, int]:
    """Return the bucket of every query-key pair of a grid in row-major order, and the number K of buckets.

    Args:
        height, width: the grid of N = height * width tokens, any rectangle.
        distance: ``product`` of the row and column index (K = 49 at ratio 1.9), rounded ``euclidean`` distance,
            ``quant`` (squared distance), or ``cross``.
        ratio: shape of the piecewise index.
        time: for a spatio-temporal window of N = time * height * width tokens; product distance over three axes.

    Returns:
        (N, N) int64, K. For ``cross`` (2, N, N): row and column buckets, for the sum of two look-ups in one table.
        On torch's default device. Cached on the CPU: the tensor is shared, do not write to it.

    Raises:
        KpstraError: an unknown distance, an empty grid, or time with another distance than product.
    """
    one_of(distance, DISTANCES, "distance")
    if min(height, width, time or 1) < 1 or not 0 < ratio < math.inf:
        raise KpstraError(f"relative_buckets: grid {time, height, width} and ratio {ratio} must be positive")
    if time is not None and distance != "product":
        raise KpstraError(f"distance: {distance!r}: windows over time have the product distance only")
    index, buckets = buckets_on_cpu(height, width, distance, ratio, time)
    return index.to(torch.get_default_device()), buckets


@lru_cache(maxsize=256)
def buckets_on_cpu(height: int, width: int, distance: str, ratio: float, time: int | None) -> tuple[Tensor, int]:
    """Return :func:`relative_buckets` on the CPU, whatever torch's default device: what is cached serves all."""
    sizes = (height, width) if time is None else (time, height, width)
    axes = torch.meshgrid(*(torch.arange(size, device="cpu") for size in sizes), indexing="ij")
    offsets = [axis.reshape(-1, 1) - axis.reshape(1, -1) for axis in axes]  # query minus key, (N, N) each
    reach = int(2 * ratio)
    side = 2 * reach + 1
    if distance == "product":
        index = torch.zeros_like(offsets[0])
        for offset in offsets:
            index = index * side + piecewise_index(offset, ratio) + reach
        return index, side ** len(offsets)
    if distance == "cross":
        return torch.stack([piecewise_index(offset, ratio) for offset in offsets]) + reach, side
    squared = sum(offset.square() for offset in offsets)
    length = squared.float().sqrt().round() if distance == "euclidean" else squared
    return piecewise_index(length, ratio) + reach, side
