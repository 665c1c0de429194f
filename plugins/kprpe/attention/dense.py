"""Attention with a KP-RPE bias."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def attend(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    bias: Tensor | None,
    scale: float | None = None,
    dropout: float = 0.0,
    scale_bias: bool = False,
) -> Tensor:
    """Return ``softmax(q k^T scale + B) v``.

    Under autocast and for half types the bias is rounded to the queries' type after it was computed in float32. Where a
    bias wants a gradient, torch's fused attention leaves its fast path, except on CUDA; there the formula as it stands
    is faster.

    Args:
        query, key, value: (..., heads, N, head_dim).
        bias: B, broadcastable to (..., heads, N, N), of any floating type; ``None`` for no mask at all.
        scale: head_dim ** -0.5 unless given.
        dropout: probability, on the attention weights.
        scale_bias: ``(q k^T + B) scale`` as eq. 5 is written, instead of the authors' code.

    Returns:
        (..., heads, N, head_dim).
    """
    scale = query.shape[-1] ** -0.5 if scale is None else scale
    if bias is None:
        return F.scaled_dot_product_attention(query, key, value, None, dropout, scale=scale)
    bias = (bias * scale if scale_bias else bias).to(query.dtype)
    if stays_fused(query, bias):
        return F.scaled_dot_product_attention(query, key, value, bias, dropout, scale=scale)
    return weigh((query * scale) @ key.transpose(-2, -1) + bias, value, dropout)


def stays_fused(query: Tensor, bias: Tensor) -> bool:
    """Whether torch's fused attention keeps its fast path under this bias."""
    return query.is_cuda or not (bias.requires_grad and torch.is_grad_enabled())


def weigh(scores: Tensor, value: Tensor, dropout: float) -> Tensor:
    """Return ``dropout(softmax(scores)) v``."""
    return F.dropout(torch.softmax(scores, dim=-1).to(value.dtype), dropout) @ value
