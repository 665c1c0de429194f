"""timm's Swin and Swin V2: an attention that is given windows."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...errors import KpstraError
from ..attention.windows import attend_with_bias
from ..config import KPRPEConfig
from ..position.windows import WindowedKeypointRPE
from .base import KeypointAttention, Place, forward_takes, has
from .build import build_windowed
from .registry import register_adapter


@register_adapter
class WindowAttention(KeypointAttention):
    """Windows (B * windows, n, C) of a feature map whose size the block around it knows."""

    fits = "timm's Swin attention"
    replaces = ("relative_position_bias_table",)

    @classmethod
    def matches(cls, module: nn.Module) -> bool:
        known = has(module, "qkv", "proj", "num_heads", "window_size", "scale", "_get_rel_pos_bias")
        return known and forward_takes(module, "mask")

    @classmethod
    def sized(cls, place: Place) -> tuple[nn.Module, str]:
        return place.block, "input_resolution"

    @classmethod
    def build(cls, attention: nn.Module, place: Place, config: KPRPEConfig) -> WindowedKeypointRPE:
        block = place.block
        if not has(block, "input_resolution", "shift_size"):
            raise KpstraError("the block around it has no input_resolution and shift_size, so its windows are unknown")
        if getattr(block, "dynamic_mask", False):
            raise KpstraError("its maps may change between batches: build the network with strict_img_size=True")
        window, size = attention.window_size, block.input_resolution
        return build_windowed(config, attention.num_heads, window, block.shift_size, size, roll_first=True)

    def attend(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """As the host's; ``mask`` is (windows of an image, n, n) or None."""
        images = self.images_of(x.shape[0], 1, self.kprpe.feature_size)
        bias = self.window_bias(images)
        if self.kprpe_adds:
            bias = self.added(bias, self._table())
        settings = {
            "dropout": self.attn_drop.p if self.training else 0.0,
            "rotation": self.window_rotation(images, self.proj.in_features // self.num_heads),
        }
        return self.proj_drop(self.proj(self._attention(x, bias, mask, settings)))

    def _attention(self, x: Tensor, bias: Tensor | None, mask: Tensor | None, settings: dict) -> Tensor:
        return attend_with_bias(self.qkv(x), self.num_heads, bias, mask, self.scale, **settings)

    def _table(self) -> Tensor:
        return self._get_rel_pos_bias()


@register_adapter
class CosineWindowAttention(WindowAttention):
    """Swin V2's: the bias is added to the cosines of queries and keys after their learned scale."""

    fits = "timm's Swin V2 attention"
    replaces = ("cpb_mlp",)

    @classmethod
    def matches(cls, module: nn.Module) -> bool:
        known = has(
            module, "qkv", "proj", "num_heads", "window_size", "logit_scale", "cpb_mlp", "relative_coords_table"
        )
        return known and forward_takes(module, "mask")

    @classmethod
    def build(cls, attention: nn.Module, place: Place, config: KPRPEConfig) -> WindowedKeypointRPE:
        if config.scale_bias:
            raise KpstraError("scale_bias divides by sqrt(d), which cosine attention does not have: set it to false")
        return super().build(attention, place, config)

    def _attention(self, x: Tensor, bias: Tensor | None, mask: Tensor | None, settings: dict) -> Tensor:
        added = None if self.q_bias is None else torch.cat((self.q_bias, self.k_bias, self.v_bias))
        qkv = F.linear(x, self.qkv.weight, added)
        return attend_with_bias(qkv, self.num_heads, bias, mask, logit_scale=self.logit_scale, **settings)

    def _table(self) -> Tensor:
        table = 16 * torch.sigmoid(self.cpb_mlp(self.relative_coords_table).flatten(0, -2))  # (2h - 1)(2w - 1), heads
        return table[self.relative_position_index].permute(2, 0, 1)  # heads, n, n
