"""torch's ``nn.MultiheadAttention`` as torchvision's vision transformers use it."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from ...errors import KpstraError
from ..attention.dense import attend
from ..config import KPRPEConfig
from ..position.global_grid import KeypointRPE
from ..position.rotary import rotate
from .base import KeypointAttention, Place, has
from .build import build_global
from .registry import register_adapter


@register_adapter
class MultiheadAttention(KeypointAttention):
    """Self-attention of a class token and all patches with the host's ``in_proj_weight`` and ``out_proj``."""

    fits = "torchvision's ViT (nn.MultiheadAttention)"

    @classmethod
    def matches(cls, module: nn.Module) -> bool:
        return isinstance(module, nn.MultiheadAttention)

    @classmethod
    def build(cls, attention: nn.Module, place: Place, config: KPRPEConfig) -> KeypointRPE:
        owner = next((m for m in place.ancestors if has(m, "image_size", "patch_size", "class_token")), None)
        if owner is None:
            raise KpstraError("no module around it has image_size, patch_size and class_token, so its grid is unknown")
        plain = attention.batch_first and attention.in_proj_weight is not None and attention.bias_k is None
        if not plain or attention.add_zero_attn:
            raise KpstraError("expected batch_first=True, queries, keys and values of one width, and no added keys")
        side = owner.image_size // owner.patch_size
        return build_global(config, attention.num_heads, (side, side), prefix_tokens=1)

    def attend(self, query: Tensor, key: Tensor, value: Tensor, need_weights: bool = True) -> tuple[Tensor, None]:
        """As the host's self-attention without returned weights; query (B, tokens, C) is also key and value."""
        if query is not key or key is not value or need_weights:
            raise KpstraError("KP-RPE: nn.MultiheadAttention: expected self-attention (x, x, x, need_weights=False)")
        qkv = F.linear(query, self.in_proj_weight, self.in_proj_bias)
        q, k, v = qkv.unflatten(2, (3, self.num_heads, -1)).permute(2, 0, 3, 1, 4)  # B, heads, tokens, head_dim
        bias, rotation = self.global_bias(*query.shape[:2]), self.global_rotation(query.shape[0], self.head_dim)
        if rotation is not None:
            q, k = rotate(q, rotation), rotate(k, rotation)
        out = attend(q, k, v, bias, dropout=self.dropout if self.training else 0.0)
        return self.out_proj(out.transpose(1, 2).flatten(2)), None

    @property
    def head_scale(self) -> float:
        return self.head_dim**-0.5
