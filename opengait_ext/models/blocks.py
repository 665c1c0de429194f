"""OpenGait's window transformer, same weights and outputs, fewer copies: a gather in, a gather out, fused attention.

Sizes that the windows do not divide are left to the host's own code.
"""

from __future__ import annotations

import torch
from modeling.models.swingait import SwinTransformerBlock3D, WindowAttention3D, get_window_size
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from plugins.kprpe.attention.partition import window_partition, window_reverse, windows_of

from .windows import attend, table_bias


class FusedAttention(WindowAttention3D):
    """The host's attention with its table of relative positions, for windows with padding rows."""

    def forward(self, x: Tensor, mask: Tensor | None = None, tokens: int | None = None) -> Tensor:
        """x (windows, rows, C); ``mask`` (windows of a sequence, n, n) or None; ``tokens`` is n if rows are padded."""
        return attend(self, x, table_bias(self, tokens or x.shape[1]), mask)


class FusedBlock(SwinTransformerBlock3D):
    """The host's block: ``x + attention(norm(x))``, then ``x + mlp(norm(x))``."""

    def forward(self, x: Tensor, mask_matrix: Tensor) -> Tensor:
        """x (B, D, H, W, C); ``mask_matrix`` (windows, n, n) for shifted windows."""
        size = tuple(x.shape[1:4])
        window, shift = get_window_size(size, self.window_size, self.shift_size)
        if any(side % step for side, step in zip(size, window, strict=True)):
            return super().forward(x, mask_matrix)
        x = x.contiguous()  # a stage begins with channels first
        windows = windows_of(size, window, shift, x.device)
        inside = window_partition(self.norm1(x).flatten(1, 3), windows)
        inside = self.attn(inside, mask_matrix if any(shift) else None, windows.tokens)
        x = x + self.drop_path(window_reverse(inside, windows).view(x.shape))
        return x + self.drop_path(self.mlp(self.norm2(x)))


class RecomputedBlock(FusedBlock):
    """A block that keeps only its input for the backward pass and computes the rest again."""

    def forward(self, x: Tensor, mask_matrix: Tensor) -> Tensor:
        """x: (B, D, H, W, C)."""
        if not (self.training and torch.is_grad_enabled()):
            return super().forward(x, mask_matrix)
        return checkpoint(super().forward, x, mask_matrix, use_reentrant=False)


def use_fused(transformer: nn.Module, block: type[FusedBlock]) -> None:
    """Make every block of the host's transformer a ``block``, and its attention a :class:`FusedAttention`, in place."""
    for module in list(transformer.modules()):
        if type(module) is SwinTransformerBlock3D:
            module.__class__ = block
        elif type(module) is WindowAttention3D:
            module.__class__ = FusedAttention
