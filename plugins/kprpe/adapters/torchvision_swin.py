"""torchvision's shifted windows, Swin, Swin V2 and Video Swin: an attention that cuts its windows itself."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...errors import KpstraError
from ..attention.windows import attend_with_bias
from ..config import KPRPEConfig
from ..position.partition import effective_window, shift_mask, window_partition, window_reverse
from ..position.windows import WindowedKeypointRPE
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
        windows = window_partition(x, window, shift)
        mask = shift_mask(x.shape[1:4], window, shift, x.device) if any(shift) else None
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
        y = window_reverse(y, window, shift, x.shape[1:4])
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
