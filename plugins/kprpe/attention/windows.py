"""Attention inside windows that share biases."""

from __future__ import annotations

import math

import torch.nn.functional as F
from torch import Tensor

from ..position.compact import expand_to_windows, places_of
from ..position.rotary import Rotation, rotate
from .dense import stays_fused, weigh

MAX_LOGIT_SCALE = math.log(100.0)  # Swin V2 (CVPR 2022), section 3.2: tau is at least 0.01


def attend_with_bias(
    qkv: Tensor,
    heads: int,
    bias: Tensor | None,
    mask: Tensor | None = None,
    scale: float | None = None,
    dropout: float = 0.0,
    logit_scale: Tensor | None = None,
    rotation: Rotation | None = None,
) -> Tensor:
    """Return the attention of every window from its queries, keys and values: multi-head, before the projection.

    Args:
        qkv: (windows, rows, 3 * C): queries, keys and values, heads after heads in each.
        heads: number of them.
        bias, mask, scale, dropout: see :func:`attend_windows`.
        logit_scale: (heads, 1, 1), logarithms, for the cosine attention of Swin V2 in place of ``scale``:
            ``softmax(cos(q, k) exp(logit_scale) + B + mask) v``.
        rotation: of queries and keys, compact as :meth:`WindowedKeypointRPE.rotation` gives it.

    Returns:
        (windows, rows, C).
    """
    q, k, v = qkv.unflatten(2, (3, heads, -1)).permute(2, 0, 3, 1, 4)  # windows, heads, rows, head_dim
    if logit_scale is not None:
        q = (F.normalize(q, dim=-1) * logit_scale.clamp(max=MAX_LOGIT_SCALE).exp()).to(k.dtype)
        k, scale = F.normalize(k, dim=-1), 1.0
    if rotation is not None:
        tokens = rotation.cos.shape[-2]
        if bias is None and tokens < q.shape[2]:  # a bias hides the rows of padding
            bias = q.new_zeros(1, 1, 1, tokens, tokens)
        q, k = rotate_windows(q, rotation), rotate_windows(k, rotation)
    return attend_windows(q, k, v, bias, mask, scale, dropout).transpose(1, 2).flatten(2)


def rotate_windows(x: Tensor, rotation: Rotation) -> Tensor:
    """Rotate (windows, heads, rows, head_dim), rows beyond the n of the compact rotation being padding."""
    places = places_of(rotation.cos, x.shape[0])
    padded = rotation.pad(0, x.shape[2] - rotation.cos.shape[-2])
    return rotate(x.unflatten(0, (-1, places)), padded).flatten(0, 1)


def attend_windows(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    bias: Tensor | None,
    mask: Tensor | None = None,
    scale: float | None = None,
    dropout: float = 0.0,
) -> Tensor:
    """Return ``softmax(q k^T scale + B + mask) v`` in every window.

    As :func:`attend`; where that takes the formula, a bias that windows share is never laid out over them.

    Args:
        query, key, value: (windows, heads, rows, head_dim); rows beyond the n of ``bias`` are padding.
        bias: compact, (F, S, heads or 1, n, n) as :meth:`WindowedKeypointRPE.frame_bias` gives it; F and S possibly 1.
            ``None`` for no mask at all.
        mask: (M, n, n) for the M windows of a sequence, such as that of shifted windows.
        scale: head_dim ** -0.5 unless given.
        dropout: probability, on the attention weights.

    Returns:
        (windows, heads, rows, head_dim).

    Raises:
        KpstraError: the windows are not those of F frames.
    """
    windows, _, rows, head_dim = query.shape
    scale = head_dim**-0.5 if scale is None else scale
    if bias is None and mask is None:
        return F.scaled_dot_product_attention(query, key, value, None, dropout, scale=scale)
    bias = query.new_zeros(1, 1, 1, rows, rows) if bias is None else bias
    bias, places = pad_bias(bias.to(query.dtype), rows), places_of(bias, windows)
    if mask is not None:
        mask = F.pad(mask.to(bias.dtype), (0, rows - mask.shape[-1]) * 2).unsqueeze(1)  # M, 1, rows, rows
    if stays_fused(query, bias):
        whole = expand_to_windows(bias, windows)
        if mask is not None:
            whole = (whole.expand(windows, -1, -1, -1).unflatten(0, (-1, len(mask))) + mask).flatten(0, 1)
        return F.scaled_dot_product_attention(query, key, value, whole, dropout, scale=scale)
    scores = (query * scale) @ key.transpose(-2, -1)
    scores = (scores.unflatten(0, (-1, places)) + bias).flatten(0, 1)
    if mask is not None:
        scores = (scores.unflatten(0, (-1, len(mask))) + mask).flatten(0, 1)
    return weigh(scores, value, dropout)


def pad_bias(bias: Tensor, rows: int) -> Tensor:
    """Pad (..., n, n) to (..., rows, rows): nobody attends to the padding, what it attends to itself is dropped."""
    extra = rows - bias.shape[-1]
    return F.pad(F.pad(bias, (0, extra), value=float("-inf")), (0, 0, 0, extra)) if extra else bias
