"""Weighted sums over K x K neighbourhoods with zero padding, without an unfolded tensor."""
from __future__ import annotations

from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor


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
        (B, C, H, W). The nine products are accumulated one after another: nothing of size K*K*C is ever held.
    """
    batch, groups, _, height, width = weights.shape
    grouped = values.reshape(batch, groups, -1, height, width)  # B, G, n, H, W
    weights = weights.to(values.dtype).unsqueeze(2)  # B, G, 1, K*K, H, W
    total = torch.zeros_like(grouped)
    for j, shifted in enumerate(shifts(grouped, kernel_size)):
        total = torch.addcmul(total, weights[:, :, :, j], shifted)
    return total.reshape(values.shape)
