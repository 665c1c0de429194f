"""timm's vision transformers: global attention that takes a bias in its ``forward``."""

from __future__ import annotations

from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...errors import KpstraError
from ..attention.dense import attend
from ..config import KPRPEConfig
from ..position.global_grid import KeypointRPE
from ..position.rotary import rotate
from .base import KeypointAttention, Place, forward_takes, has
from .build import build_global
from .registry import register_adapter


@register_adapter
class ViTAttention(KeypointAttention):
    """Attention of all patches: the host's own, with our bias as the argument that its ``forward`` has for one."""

    fits = "timm's ViT and EVA attention"
    argument: ClassVar[str] = "attn_mask"

    @classmethod
    def matches(cls, module: nn.Module) -> bool:
        return has(module, "num_heads", "proj", "scale", "attn_drop") and forward_takes(module, cls.argument)

    @classmethod
    def sized(cls, place: Place) -> tuple[nn.Module, str] | None:
        owner = _owner(place)
        return None if owner is None else (owner.patch_embed, "grid_size")

    @classmethod
    def build(cls, attention: nn.Module, place: Place, config: KPRPEConfig) -> KeypointRPE:
        owner = _owner(place)
        if owner is None:
            raise KpstraError(
                "no module around it has patch_embed.grid_size and num_prefix_tokens, so its grid is unknown"
            )
        if getattr(owner, "dynamic_img_size", False):
            raise KpstraError("its grid may change between batches: build the network with dynamic_img_size=False")
        if not isinstance(getattr(owner, "patch_drop", None), nn.Identity | None):
            raise KpstraError("patch_drop_rate drops tokens in training, and with them their places: set it to 0")
        if config.rotary != "none":
            cls.check_rotates(attention)
        return build_global(config, attention.num_heads, owner.patch_embed.grid_size, owner.num_prefix_tokens)

    @classmethod
    def check_rotates(cls, attention: nn.Module) -> None:
        """Refuse to rotate what is not timm's plain attention, whose queries and keys this adapter knows to compute."""
        if (
            cls is not ViTAttention
            or forward_takes(attention, "rope")
            or not has(attention, "qkv", "q_norm", "k_norm", "norm")
        ):
            raise KpstraError("it keeps its queries and keys to itself: rotary must be 'none'")

    def attend(self, x: Tensor, *args, **kwargs) -> Tensor:
        """As the host's, with the bias added to its mask; x is (B, tokens, C)."""
        if kwargs.get("is_causal"):
            raise KpstraError("KP-RPE: is_causal=True leaves no room for a bias: give the causal mask as attn_mask")
        bias, mask = self.global_bias(*x.shape[:2]), kwargs.get(self.argument)
        if bias is not None and not torch.is_autocast_enabled(x.device.type):  # autocast brings all to one type
            bias = bias.to(x.dtype)
        if mask is not None and bias is None:
            bias = mask
        elif mask is not None:
            bias = bias.masked_fill(~mask, float("-inf")) if mask.dtype == torch.bool else bias + mask
        if self.kprpe.rotary != "none":
            return self._rotated(x, bias)
        return self.host_forward(x, *args, **{**kwargs, self.argument: bias})

    def _rotated(self, x: Tensor, mask: Tensor | None) -> Tensor:
        """timm's plain attention with rotated queries and keys; it has no place for that itself."""
        q, k, v = self.qkv(x).unflatten(2, (3, self.num_heads, -1)).permute(2, 0, 3, 1, 4)  # B, heads, tokens, d
        by = self.global_rotation(x.shape[0], q.shape[-1])
        q, k = rotate(self.q_norm(q), by), rotate(self.k_norm(k), by)
        dropout = self.attn_drop.p if self.training else 0.0
        if mask is not None and mask.dtype != torch.bool:
            y = attend(q, k, v, mask, self.scale, dropout)
        else:
            y = F.scaled_dot_product_attention(q, k, v, mask, dropout, scale=self.scale)
        y = self.norm(y.transpose(1, 2).flatten(2))
        if getattr(self, "gate", None) is not None:
            y = y * self.gate(x).sigmoid()
        return self.proj_drop(self.proj(y))


@register_adapter
class BEiTAttention(ViTAttention):
    """BEiT's, which adds to its own table what its blocks may share."""

    fits = "timm's BEiT attention"
    argument = "shared_rel_pos_bias"
    replaces = ("relative_position_bias_table",)

    @classmethod
    def build(cls, attention: nn.Module, place: Place, config: KPRPEConfig) -> KeypointRPE:
        rpe = super().build(attention, place, config)
        if config.mode == "replace" and has(_owner(place), "rel_pos_bias"):
            raise KpstraError("its blocks share one table of relative positions: mode must be 'add'")
        return rpe


@register_adapter
class RelPosAttention(ViTAttention):
    """That of timm's ``vit_relpos``, which takes a shared table only where it has none of its own."""

    fits = "timm's vit_relpos attention"
    argument = "shared_rel_pos"
    replaces = ("rel_pos",)

    @classmethod
    def build(cls, attention: nn.Module, place: Place, config: KPRPEConfig) -> KeypointRPE:
        rpe, own = super().build(attention, place, config), has(attention, "rel_pos")
        if config.mode == "add" and own:
            raise KpstraError("its own relative positions leave no room for a second bias: mode must be 'replace'")
        if config.mode == "replace" and not own and has(_owner(place), "shared_rel_pos"):
            raise KpstraError("its blocks share one table of relative positions: mode must be 'add'")
        return rpe


def _owner(place: Place) -> nn.Module | None:
    """Return the vision transformer around an attention: it knows the grid of patches and the tokens before them."""
    sized = (m for m in reversed(place.ancestors) if has(getattr(m, "patch_embed", None), "grid_size"))
    return next((m for m in sized if has(m, "num_prefix_tokens")), None)
