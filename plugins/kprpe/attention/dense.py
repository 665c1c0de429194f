"""Attention with a KP-RPE bias: scaled_dot_product_attention's mask, or FlexAttention without any mask tensor."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import torch
import torch.nn.functional as F
from torch import Tensor

from ...errors import KpstraError
from ..position.global_grid import KeypointRPE
from ..position.table import Factors


def attend(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    bias: Tensor,
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
        bias: B, broadcastable to (..., heads, N, N), of any floating type.
        scale: head_dim ** -0.5 unless given.
        dropout: probability, on the attention weights.
        scale_bias: ``(q k^T + B) scale`` as eq. 5 is written, instead of the authors' code.

    Returns:
        (..., heads, N, head_dim).
    """
    scale = query.shape[-1] ** -0.5 if scale is None else scale
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


def flex_attend(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    rpe: KeypointRPE,
    factors: Factors,
    layer: int,
    scale: float | None = None,
    scale_bias: bool = False,
) -> Tensor:
    """As :func:`attend` with ``rpe.bias(factors, layer)``, but no (B, heads, N, N) tensor ever exists.

    FlexAttention compiles the bias into the attention kernel as :func:`score_mod`.

    Raises:
        KpstraError: a gradient is wanted on a CPU: torch has no backward for FlexAttention there.
    """
    if query.device.type == "cpu" and torch.is_grad_enabled():
        raise KpstraError(
            "flex_attend: FlexAttention has no backward on a CPU: train with attend(..., rpe.bias(factors, layer)), "
            "or infer under torch.no_grad()"
        )
    factor = (scale or query.shape[-1] ** -0.5) if scale_bias else 1.0
    modify = score_mod(rpe, factors, layer, factor)
    return _compiled_flex_attention()(query, key, value, score_mod=modify, scale=scale)


def score_mod(rpe: KeypointRPE, factors: Factors, layer: int, factor: float = 1.0) -> Callable[..., Tensor]:
    """Return FlexAttention's ``score + factor (static[h, q, k] - c[b, h, d(q, k)])`` for one layer."""
    heads = rpe.num_heads
    static = rpe.static_bias(layer).expand(heads, -1, -1).contiguous() * factor
    image = factors.layer(layer)
    index = rpe.index if rpe.index.ndim == 3 else rpe.index.unsqueeze(0)
    centres = rpe.query_centres()
    x, y = centres[:, 0].contiguous(), centres[:, 1].contiguous()
    offset = slope_x = slope_y = None
    if image.offset is not None:
        offset = rpe.padded(image.offset).expand(-1, heads, -1).contiguous() * factor
    if image.slope is not None:
        slope_x, slope_y = (rpe.padded(t).expand(-1, heads, -1).contiguous() * factor for t in image.slope.unbind(-1))

    def modify(score: Tensor, b: Tensor, h: Tensor, q: Tensor, k: Tensor) -> Tensor:
        score = score + static[h, q, k]
        for of_axis in index:
            bucket = of_axis[q, k]
            if offset is not None:
                score = score - offset[b, h, bucket]
            if slope_x is not None:
                score = score - x[q] * slope_x[b, h, bucket] - y[q] * slope_y[b, h, bucket]
        return score

    return modify


@lru_cache(maxsize=1)
def _compiled_flex_attention() -> Callable[..., Tensor]:
    from torch.nn.attention.flex_attention import flex_attention

    return torch.compile(flex_attention, dynamic=False)
