"""Self-attention over all places of each frame's map, in front of the pooling over time."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from plugins.errors import KpstraError
from plugins.kprpe import KeypointRPE, KPRPEConfig, register_adapter
from plugins.kprpe.adapters import Place, build_global
from plugins.kprpe.adapters.multihead import MultiheadAttention


class FrameAttention(nn.MultiheadAttention):
    """Self-attention of the places of one map, (frames, rows * columns, channels): torch's, under a name of its own."""


@register_adapter
class FrameKeypointAttention(MultiheadAttention):
    """KP-RPE in a :class:`FrameAttention`: all places of the map, no class token."""

    fits = "FrameAttention"

    @classmethod
    def matches(cls, module: nn.Module) -> bool:
        return isinstance(module, FrameAttention)

    @classmethod
    def build(cls, attention: nn.Module, place: Place, config: KPRPEConfig) -> KeypointRPE:
        if config.feature_size is None:
            raise KpstraError("kprpe.feature_size: missing; attention over a map needs its (H, W)")
        if config.grid == "window":
            raise KpstraError(
                "kprpe.grid: 'window': there are no windows, every query sees the whole map; leave it out"
            )
        return build_global(config, attention.num_heads, config.feature_size)


class FrameBlock(nn.Module):
    """``x + W_o attention(norm(x))`` over the places of every frame.

    Args:
        channels: C of the map.
        heads: of the attention; they divide the channels.

    Raises:
        KpstraError: they do not.
    """

    def __init__(self, channels: int, heads: int) -> None:
        super().__init__()
        if channels % heads:
            raise KpstraError(f"{heads} heads do not divide the map's {channels} channels")
        self.norm = nn.LayerNorm(channels)
        self.attention = FrameAttention(channels, heads, batch_first=True)
        self.start_at_zero()

    def start_at_zero(self) -> None:
        """Make W_o zero: the block gives what it is given until it has learned."""
        nn.init.zeros_(self.attention.out_proj.weight)
        nn.init.zeros_(self.attention.out_proj.bias)

    def forward(self, x: Tensor) -> Tensor:
        """x: (n, C, s, H, W), s frames of n sequences."""
        tokens = self.norm(x.permute(0, 2, 3, 4, 1))  # n, s, H, W, C
        frames = tokens.flatten(2, 3).flatten(0, 1)  # n * s, H * W, C
        y, _ = self.attention(frames, frames, frames, need_weights=False)
        return x + y.view(tokens.shape).permute(0, 4, 1, 2, 3)


class AttendThenPool(nn.Module):
    """A :class:`FrameBlock` in front of a host's pooling over time."""

    def __init__(self, block: FrameBlock, pooling: nn.Module) -> None:
        super().__init__()
        self.block, self.pooling = block, pooling

    def forward(self, x: Tensor, *args: Any, **kwargs: Any) -> Any:
        """x: (n, C, s, H, W); the rest is the pooling's."""
        return self.pooling(self.block(x), *args, **kwargs)
