"""Attention under KP-RPE written window by window, query by query and key by key."""

import itertools
import math

import torch
import torch.nn.functional as F
from naive_kprpe import table_of


def queries_keys_values(attention, x):
    """(heads, tokens, d) each, of tokens (tokens, C), with what multiplies q k^T."""
    if hasattr(attention, "in_proj_weight"):
        qkv = F.linear(x, attention.in_proj_weight, attention.in_proj_bias)
    elif getattr(attention, "q_bias", None) is not None:
        none = torch.zeros_like(attention.q_bias)
        qkv = x @ attention.qkv.weight.T + torch.cat((attention.q_bias, none, attention.v_bias))
    else:
        bias = attention.qkv.bias.clone()
        if hasattr(attention, "logit_scale"):
            bias[len(bias) // 3 : 2 * len(bias) // 3] = 0
        qkv = x @ attention.qkv.weight.T + bias
    q, k, v = (part.view(len(x), attention.num_heads, -1).transpose(0, 1) for part in qkv.chunk(3, dim=1))
    if not hasattr(attention, "logit_scale"):
        return q, k, v, q.shape[-1] ** -0.5
    scale = attention.logit_scale.clamp(max=math.log(100)).exp()
    return F.normalize(q, dim=-1), F.normalize(k, dim=-1), v, scale


def attended(attention, x, bias):
    """Tokens (tokens, C) under a bias (heads, tokens, tokens)."""
    q, k, v, scale = queries_keys_values(attention, x)
    out = ((q @ k.transpose(1, 2)) * scale + bias).softmax(-1) @ v
    projection = attention.out_proj if hasattr(attention, "out_proj") else attention.proj
    return projection(out.transpose(0, 1).flatten(1))


def naive_windows(attention, x, points, confidence, shift, pads_first):
    """One sequence (T, H, W, C) with its frames' keypoints (T, L, 2)."""
    rpe, (frames, height, width) = attention.kprpe, x.shape[:3]
    t, h, w = rpe.window_size
    t = min(t, frames)
    extent = [math.ceil(n / side) * side for n, side in zip(x.shape[:3], (t, h, w), strict=True)]
    out = torch.zeros_like(x)
    for corner in itertools.product(*(range(0, n, side) for n, side in zip(extent, (t, h, w), strict=True))):
        rolled = [
            tuple(c + o for c, o in zip(corner, offset, strict=True))
            for offset in itertools.product(*map(range, (t, h, w)))
        ]
        tokens, places, regions = [], [], []
        for r in rolled:
            period = extent if pads_first else x.shape[:3]
            inside = pads_first or all(c < n for c, n in zip(r, x.shape[:3], strict=True))
            place = tuple((c + s) % n for c, s, n in zip(r, shift, period, strict=True)) if inside else None
            real = place is not None and all(c < n for c, n in zip(place, x.shape[:3], strict=True))
            places.append(place if real else None)
            tokens.append(x[place] if real else torch.zeros_like(x[0, 0, 0]))
            regions.append(
                tuple(
                    (c >= n - side) + (c >= n - s) if s else 0
                    for c, n, side, s in zip(r, extent, (t, h, w), shift, strict=True)
                )
            )
        bias = torch.zeros(attention.num_heads, len(rolled), len(rolled), dtype=x.dtype)
        for i, place in enumerate(places):
            if place is None:
                continue  # the output is dropped
            frame, y, column = place
            m = (column + 0.5) / width, (y + 0.5) / height
            if rpe.grid == "window":
                m = (rolled[i][2] % w + 0.5) / w, (rolled[i][1] % h + 0.5) / h
            table = table_of(rpe, torch.tensor(m).double(), points[frame], confidence[frame], 0)
            index = rpe._index((t, h, w))
            for j in range(len(rolled)):
                bias[:, i, j] = table[:, index[i, j]] - (100.0 if regions[i] != regions[j] else 0.0)
        result = attended(attention, torch.stack(tokens), bias)
        for i, place in enumerate(places):
            if place is not None:
                out[place] = result[i]
    return out
