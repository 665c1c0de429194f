"""OpenGait's attention inside windows of (frames, rows, columns): its table of positions, or KP-RPE in its place."""

from __future__ import annotations

from torch import Tensor, nn

from plugins.errors import KpstraError
from plugins.kprpe import KeypointAttention, KPRPEConfig, WindowedKeypointRPE, register_adapter
from plugins.kprpe.adapters import Place, build_windowed
from plugins.kprpe.adapters.base import forward_takes, has
from plugins.kprpe.attention.windows import attend_with_bias
from plugins.kprpe.position.rotary import Rotation


def attend(
    attention: nn.Module, x: Tensor, bias: Tensor | None, mask: Tensor | None, rotation: Rotation | None = None
) -> Tensor:
    """Return ``proj(softmax(q k^T scale + B + mask) v)`` with the projections of a ``WindowAttention3D``.

    Args:
        x: (windows, rows, C); rows beyond the n of ``bias`` are padding.
        bias: compact, (frames, places, heads, n, n).
        mask: (windows of a sequence, n, n) or None.
        rotation: of queries and keys, compact, or None.
    """
    dropout = attention.attn_drop.p if attention.training else 0.0
    qkv, heads = attention.qkv(x), attention.num_heads
    y = attend_with_bias(qkv, heads, bias, mask, attention.scale, dropout, rotation=rotation)
    return attention.proj_drop(attention.proj(y))


def table_bias(attention: nn.Module, tokens: int) -> Tensor:
    """Return the host's table of relative positions laid out for windows of so many tokens, (1, 1, heads, n, n)."""
    index = attention.relative_position_index[:tokens, :tokens].reshape(-1)
    table = attention.relative_position_bias_table[index]
    return table.view(1, 1, tokens, tokens, -1).permute(0, 1, 4, 2, 3)


@register_adapter
class SequenceWindowAttention(KeypointAttention):
    """KP-RPE in OpenGait's ``WindowAttention3D``, which is given windows of sequences and has no hook for the bias."""

    fits = "OpenGait's WindowAttention3D"
    replaces = ("relative_position_bias_table",)

    @classmethod
    def matches(cls, module: nn.Module) -> bool:
        known = has(module, "qkv", "proj", "num_heads", "scale", "window_size", "relative_position_bias_table")
        return known and len(module.window_size) == 3 and forward_takes(module, "mask")

    @classmethod
    def build(cls, attention: nn.Module, place: Place, config: KPRPEConfig) -> WindowedKeypointRPE:
        if config.feature_size is None:
            raise KpstraError("kprpe.feature_size: missing; OpenGait's windows need the (H, W) of their tokens' map")
        window, shift = attention.window_size, place.block.shift_size
        return build_windowed(config, attention.num_heads, window, shift, config.feature_size)

    def attend(self, x: Tensor, mask: Tensor | None = None, tokens: int | None = None) -> Tensor:
        """As the host's; ``tokens`` is n where the rows of x beyond it are padding."""
        points = self.kprpe_context.get().points
        frames = points.shape[1] if points.ndim == 4 else 1
        images = self.images_of(x.shape[0], frames, self.kprpe.feature_size)
        bias = self.window_bias(images, frames)
        if self.kprpe_adds:
            bias = self.added(bias, table_bias(self, tokens or x.shape[1]))
        rotation = self.window_rotation(images, self.proj.in_features // self.num_heads, frames)
        return attend(self, x, bias, mask, rotation)
