"""iRPE, contextual relative positions on queries, keys and values (Wu et al., ICCV 2021): the baseline of KP-RPE."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ...errors import KpstraError
from ..position.buckets import relative_buckets
from ..position.lookup import lookup_queries


class Table(nn.Module):
    """One learned table, shared by all heads; zero at first. Its parameter has the name that it has in CVLface's files.

    Args:
        shape: (1, head_dim, K), or (1, K, head_dim) on values.
    """

    def __init__(self, *shape: int) -> None:
        super().__init__()
        self.lookup_table_weight = nn.Parameter(torch.zeros(shape))


class ContextualAttention(nn.Module):
    """Self-attention of a grid of patches with iRPE as CVLface has it: product distance, ratio 1.9, tables on q, k, v.

    ``score_ij = (q_i . k_j + q_i . R_k[d(i, j)] + k_j . R_q[d(j, i)]) / sqrt(d)``, and
    ``out_i = sum_j softmax_j(score_ij) (v_j + R_v[d(i, j)])``

    Args:
        attention: timm's, whose layers are taken over.
        grid_size: (height, width) of the patches; there are no other tokens.

    Raises:
        KpstraError: an attention that normalises or gates, which iRPE does not say how to go with.

    Example:
        >>> for block in vit.blocks:
        ...     block.attn = ContextualAttention(block.attn, vit.patch_embed.grid_size)
    """

    def __init__(self, attention: nn.Module, grid_size: tuple[int, int]) -> None:
        super().__init__()
        names = ("q_norm", "k_norm", "norm")
        changed = [name for name in names if not isinstance(getattr(attention, name, None), nn.Identity | None)]
        if changed or getattr(attention, "gate", None) is not None:
            raise KpstraError(f"iRPE: {type(attention).__name__} has {', '.join(changed) or 'gate'}: expected plain")
        self.num_heads, self.scale = attention.num_heads, attention.scale
        self.qkv, self.attn_drop = attention.qkv, attention.attn_drop
        self.proj, self.proj_drop = attention.proj, attention.proj_drop
        index, buckets = relative_buckets(*grid_size)
        self.register_buffer("index", index.clone(), persistent=False)
        width = self.qkv.in_features // self.num_heads
        self.rpe_q, self.rpe_k, self.rpe_v = (
            Table(1, width, buckets),
            Table(1, width, buckets),
            Table(1, buckets, width),
        )

    def forward(self, x: Tensor, attn_mask: Tensor | None = None, is_causal: bool = False) -> Tensor:
        """Map tokens (B, N, C) to (B, N, C), as timm's; no mask.

        Raises:
            KpstraError: another number of tokens, or a mask.
        """
        if x.shape[1] != len(self.index) or attn_mask is not None or is_causal:
            raise KpstraError(f"iRPE: {x.shape[1]} tokens: expected the {len(self.index)} of the grid, and no mask")
        q, k, v = self.qkv(x).unflatten(2, (3, self.num_heads, -1)).permute(2, 0, 3, 1, 4)  # B, heads, N, d
        q, scaled = q * self.scale, k * self.scale
        scores = q @ k.transpose(2, 3) + self._looked_up(q, self.rpe_k) + self._looked_up(scaled, self.rpe_q).mT
        weights = self.attn_drop(scores.softmax(dim=-1))
        table = self.rpe_v.lookup_table_weight
        index = self.index.expand_as(weights)
        by_bucket = weights.new_zeros(*weights.shape[:3], table.shape[1]).scatter_add(3, index, weights)
        out = weights @ v + by_bucket @ table
        return self.proj_drop(self.proj(out.transpose(1, 2).flatten(2)))

    def _looked_up(self, x: Tensor, table: Table) -> Tensor:
        """Return ``x_i . R[d(i, j)]``, (B, heads, N, N)."""
        return lookup_queries(x @ table.lookup_table_weight, self.index)
