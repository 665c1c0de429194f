"""Attention inside windows of (frames, rows, columns) with a table of relative positions (Video Swin, CVPR 2022)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache

import torch
import torch.nn.functional as F
from torch import Tensor, nn

Size = tuple[int, int, int]


def window_partition(x: Tensor, window_size: Sequence[int]) -> Tensor:
    """(B, D, H, W, C), each a multiple of its window's -> (B * windows, window's tokens, C)."""
    for axis, size in zip((1, 3, 5), window_size, strict=True):
        x = x.unflatten(axis, (-1, size))  # B, D/d, d, H/h, h, W/w, w, C
    return x.permute(0, 1, 3, 5, 2, 4, 6, 7).reshape(-1, math.prod(window_size), x.shape[-1])


def window_reverse(windows: Tensor, window_size: Sequence[int], B: int, D: int, H: int, W: int) -> Tensor:
    """Undo :func:`window_partition`: (B * windows, window's tokens, C) -> (B, D, H, W, C)."""
    counts = [total // size for total, size in zip((D, H, W), window_size, strict=True)]
    x = windows.view(B, *counts, *window_size, -1)
    return x.permute(0, 1, 4, 2, 5, 3, 6, 7).reshape(B, D, H, W, -1)


def get_window_size(x_size: Sequence[int], window_size: Sequence[int], shift_size: Sequence[int]) -> tuple[Size, Size]:
    """Return window and shift for features of ``x_size``: no window is larger, and a full axis is not shifted."""
    fits = [x <= window for x, window in zip(x_size, window_size, strict=True)]
    window = tuple(x if fit else size for x, size, fit in zip(x_size, window_size, fits, strict=True))
    return window, tuple(0 if fit else shift for shift, fit in zip(shift_size, fits, strict=True))


@lru_cache
def compute_mask(D: int, H: int, W: int, window_size: Size, shift_size: Size, device: torch.device) -> Tensor:
    """Return (windows, n, n): -100 between tokens that only the cyclic shift brought into one window, else 0."""
    region = torch.zeros(1, D, H, W, 1, device=device)
    for axis, (total, window, shift) in enumerate(zip((D, H, W), window_size, shift_size, strict=True), 1):
        position = torch.arange(total, device=device)
        part = (position >= total - window).long() + (position >= total - shift)  # 0, 1 or 2; shift 0: one part
        part = part if shift else torch.zeros_like(part)
        region = region * 3 + part.view([-1 if i == axis else 1 for i in range(5)])
    regions = window_partition(region, window_size).squeeze(-1)  # windows, n
    return (regions[:, None] != regions[:, :, None]).float() * -100.0


def relative_index(window_size: Sequence[int]) -> Tensor:
    """Return for each pair of a window's tokens the row of the table of relative positions, (n, n)."""
    axes = torch.meshgrid(*map(torch.arange, window_size), indexing="ij")
    index = 0
    for axis, size in zip(axes, window_size, strict=True):
        offset = axis.flatten()[:, None] - axis.flatten() + size - 1  # from 0 to 2 size - 2
        index = index * (2 * size - 1) + offset
    return index


def trunc_normal_(tensor: Tensor, mean: float = 0.0, std: float = 1.0, a: float = -2.0, b: float = 2.0) -> Tensor:
    """Fill with a normal distribution cut to [a, b], by its inverse distribution function.

    torch's function of this name draws other numbers (since 2.15 by rejection); a seed has to give the host's weights.
    """
    low, high = (math.erf((bound - mean) / (std * math.sqrt(2))) for bound in (a, b))
    with torch.no_grad():
        return tensor.uniform_(low, high).erfinv_().mul_(std * math.sqrt(2)).add_(mean).clamp_(a, b)


class WindowAttention3D(nn.Module):
    """Multi-head attention of the tokens of each window.

    Args:
        dim: C.
        window_size: (frames, rows, columns); inputs may have smaller windows.
        num_heads: of attention.
        qkv_bias: whether the q, k, v layer has one.
        qk_scale: of the logits, by default head width ** -0.5.
        attn_drop, proj_drop: dropout of the attention weights and of the output.
    """

    def __init__(
        self,
        dim: int,
        window_size: Sequence[int],
        num_heads: int,
        qkv_bias: bool = False,
        qk_scale: float | None = None,
        attn_drop: float = 0.0,
        proj_drop: float = 0.0,
    ) -> None:
        super().__init__()
        self.dim, self.window_size, self.num_heads = dim, window_size, num_heads
        self.scale = qk_scale or (dim // num_heads) ** -0.5
        rows = math.prod(2 * size - 1 for size in window_size)
        self.relative_position_bias_table = nn.Parameter(torch.zeros(rows, num_heads))
        self.register_buffer("relative_position_index", relative_index(window_size))
        self.qkv = nn.Linear(dim, dim * 3, bias=qkv_bias)
        self.proj = nn.Linear(dim, dim)
        self.attn_drop, self.proj_drop = nn.Dropout(attn_drop), nn.Dropout(proj_drop)
        trunc_normal_(self.relative_position_bias_table, std=0.02)

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """softmax(q k^T scale + bias + mask) v; x (B * windows, n, C), mask (windows, n, n) or None."""
        batch, n, channels = x.shape
        q, k, v = self.qkv(x).view(batch, n, 3, self.num_heads, -1).permute(2, 0, 3, 1, 4)  # B * windows, heads, n, d
        index = self.relative_position_index[:n, :n]  # OpenGait's choice for a smaller window
        bias = self.relative_position_bias_table[index].permute(2, 0, 1)[None]  # 1, heads, n, n
        if mask is not None:
            bias = (bias + mask[:, None]).repeat(batch // len(mask), 1, 1, 1)  # B * windows, heads, n, n
        dropout = self.attn_drop.p if self.training else 0.0
        out = F.scaled_dot_product_attention(q, k, v, bias.to(q.dtype), dropout, scale=self.scale)
        return self.proj_drop(self.proj(out.transpose(1, 2).reshape(batch, n, channels)))
