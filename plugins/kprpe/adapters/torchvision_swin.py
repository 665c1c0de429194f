"""torchvision's shifted windows, Swin, Swin V2 and Video Swin: an attention that cuts its windows itself."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...errors import KpstraError
from ..attention.windows import attend_with_bias
from ..config import KPRPEConfig
from ..position.windows import WindowedKeypointRPE, effective_window
from .base import KeypointAttention, Place, has
from .build import build_windowed
from .registry import register_adapter


@register_adapter
class ShiftedWindowAttention(KeypointAttention):
    """Windows of (rows, columns) or (frames, rows, columns); in Swin V2 the bias stands beside scaled cosines."""

    fits = "torchvision's Swin, Swin V2 and Video Swin attention"
    replaces = ("relative_position_bias_table", "cpb_mlp")

    @classmethod
    def matches(cls, module: nn.Module) -> bool:
        return has(module, "qkv", "proj", "num_heads", "window_size", "shift_size", "get_relative_position_bias")

    @classmethod
    def build(cls, attention: nn.Module, place: Place, config: KPRPEConfig) -> WindowedKeypointRPE:
        if config.scale_bias and has(attention, "logit_scale"):
            raise KpstraError("scale_bias divides by sqrt(d), which cosine attention does not have: set it to false")
        window, shift = attention.window_size, attention.shift_size
        return build_windowed(config, attention.num_heads, window, shift, config.feature_size)

    def attend(self, x: Tensor) -> Tensor:
        """As the host's; x is (B, [T,] H, W, C)."""
        over_time = x.ndim == 5
        x = x if over_time else x.unsqueeze(1)
        batch, frames, *feature_size, _ = x.shape
        self._check_frames(frames)
        bias = self.window_bias(batch * frames, frames, tuple(feature_size))
        window, shift = effective_window(x.shape[1:4], self.kprpe.window_size, self.kprpe.shifts[0], self.kprpe.shrink)
        if self.kprpe_adds:
            bias = self.added(bias, self._table(window))
        windows, padded = partition(x, window, shift)
        mask = shift_mask(padded, window, shift, x.device) if any(shift) else None
        dropout, head_dim = self.attention_dropout if self.training else 0.0, self.proj.in_features // self.num_heads
        y = attend_with_bias(
            self._qkv(windows),
            self.num_heads,
            bias,
            mask,
            dropout=dropout,
            logit_scale=getattr(self, "logit_scale", None),
            rotation=self.window_rotation(batch * frames, head_dim, frames, tuple(feature_size)),
        )
        y = F.dropout(self.proj(y), self.dropout, self.training)
        y = reverse(y, window, shift, padded)[:, :frames, : feature_size[0], : feature_size[1]].contiguous()
        return y if over_time else y.squeeze(1)

    def _check_frames(self, frames: int) -> None:
        points = self.kprpe_context.get().points
        given = points.shape[1] if points.ndim == 4 else 1
        if len(self.window_size) == 3 and given != frames:
            raise KpstraError(f"KP-RPE: {frames} frames of features, but keypoints of {given}: set (B, T, L, 2)")

    def _qkv(self, x: Tensor) -> Tensor:
        bias = self.qkv.bias
        if bias is not None and hasattr(self, "logit_scale"):  # the keys of cosine attention have none
            q, _, v = bias.chunk(3)
            bias = torch.cat((q, torch.zeros_like(q), v))
        return F.linear(x, self.qkv.weight, bias)

    def _table(self, window: Sequence[int]) -> Tensor:
        sizes = [list(window)] if len(self.window_size) == 3 else []
        return self.get_relative_position_bias(*sizes)

    @property
    def head_scale(self) -> float:
        return (self.proj.in_features // self.num_heads) ** -0.5


def partition(x: Tensor, window: Sequence[int], shift: Sequence[int]) -> tuple[Tensor, tuple[int, int, int]]:
    """Pad, roll and cut (B, T, H, W, C) into (B * windows, n, C); return the padded (T, H, W) with it."""
    frames, height, width = (-size % side for size, side in zip(x.shape[1:4], window, strict=True))
    x = F.pad(x, (0, 0, 0, width, 0, height, 0, frames))
    padded = tuple(x.shape[1:4])
    if any(shift):
        x = x.roll([-step for step in shift], dims=(1, 2, 3))
    for axis, side in zip((1, 3, 5), window, strict=True):
        x = x.unflatten(axis, (-1, side))  # B, T/t, t, H/h, h, W/w, w, C
    return x.permute(0, 1, 3, 5, 2, 4, 6, 7).reshape(-1, math.prod(window), x.shape[-1]), padded


def reverse(y: Tensor, window: Sequence[int], shift: Sequence[int], padded: Sequence[int]) -> Tensor:
    """Undo :func:`partition` but for the padding: (B * windows, n, C) to (B, T, H, W, C)."""
    counts = [size // side for size, side in zip(padded, window, strict=True)]
    y = y.reshape(-1, *counts, *window, y.shape[-1]).permute(0, 1, 4, 2, 5, 3, 6, 7)
    y = y.reshape(-1, *padded, y.shape[-1])
    return y.roll(tuple(shift), dims=(1, 2, 3)) if any(shift) else y


def shift_mask(size: Sequence[int], window: Sequence[int], shift: Sequence[int], device: torch.device) -> Tensor:
    """Return (windows, n, n): -100 between tokens that only the cyclic shift brought into one window, else 0."""
    region = torch.zeros(*size, device=device)
    for axis, (length, side, step) in enumerate(zip(size, window, shift, strict=True)):
        if step:
            place = torch.arange(length, device=device).view([-1 if i == axis else 1 for i in range(3)])
            region = 3 * region + (place >= length - side).float() + (place >= length - step).float()
    cells, _ = partition(region[None, ..., None], window, (0, 0, 0))  # windows, n, 1
    return torch.where(cells == cells.transpose(1, 2), 0.0, -100.0)
