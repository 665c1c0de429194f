"""The 3-D shifted window transformer (Video Swin, CVPR 2022) as SwinGait uses it: stages do not merge patches."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .window_attention import WindowAttention3D, compute_mask, get_window_size, window_partition, window_reverse


class Mlp(nn.Module):
    """Two linear layers with a GELU between them."""

    def __init__(self, in_features: int, hidden_features: int, drop: float = 0.0) -> None:
        super().__init__()
        self.fc1 = nn.Linear(in_features, hidden_features)
        self.act = nn.GELU()
        self.fc2 = nn.Linear(hidden_features, in_features)
        self.drop = nn.Dropout(drop)

    def forward(self, x: Tensor) -> Tensor:
        return self.drop(self.fc2(self.drop(self.act(self.fc1(x)))))


class DropPath(nn.Module):
    """Stochastic depth: zeroes a whole item with probability ``drop_prob`` and scales the others up, in training."""

    def __init__(self, drop_prob: float = 0.0) -> None:
        super().__init__()
        self.drop_prob = drop_prob

    def forward(self, x: Tensor) -> Tensor:
        if self.drop_prob == 0.0 or not self.training:
            return x
        keep = 1 - self.drop_prob
        return x * x.new_empty(len(x), *[1] * (x.ndim - 1)).bernoulli_(keep).div_(keep)


class SwinTransformerBlock3D(nn.Module):
    """Window attention and an MLP, both residual; ``shift_size`` moves the windows. See :class:`SwinTransformer3D`."""

    def __init__(
        self,
        dim: int,
        num_heads: int,
        window_size: Sequence[int] = (2, 7, 7),
        shift_size: Sequence[int] = (0, 0, 0),
        mlp_ratio: float = 4.0,
        qkv_bias: bool = True,
        qk_scale: float | None = None,
        drop: float = 0.0,
        attn_drop: float = 0.0,
        drop_path: float = 0.0,
        norm_layer: type[nn.Module] = nn.LayerNorm,
    ) -> None:
        super().__init__()
        if any(not 0 <= shift < window for shift, window in zip(shift_size, window_size, strict=True)):
            raise ValueError(f"shift_size {tuple(shift_size)}: not smaller than window_size {tuple(window_size)}")
        self.dim, self.num_heads, self.window_size, self.shift_size = dim, num_heads, window_size, shift_size
        self.norm1 = norm_layer(dim)
        self.attn = WindowAttention3D(dim, window_size, num_heads, qkv_bias, qk_scale, attn_drop, drop)
        self.drop_path = DropPath(drop_path) if drop_path > 0 else nn.Identity()
        self.norm2 = norm_layer(dim)
        self.mlp = Mlp(dim, int(dim * mlp_ratio), drop)

    def forward(self, x: Tensor, mask_matrix: Tensor) -> Tensor:
        """x (B, D, H, W, C); mask_matrix (windows, n, n) for shifted windows."""
        x = x + self.drop_path(self.attend(x, mask_matrix))
        return x + self.drop_path(self.mlp(self.norm2(x)))

    def attend(self, x: Tensor, mask_matrix: Tensor) -> Tensor:
        """Pad to whole windows, shift, attend, and undo both."""
        size = x.shape[1:4]
        window, shift = get_window_size(size, self.window_size, self.shift_size)
        (d, h, w), shifted = (-total % step for total, step in zip(size, window, strict=True)), any(shift)
        x = F.pad(self.norm1(x), (0, 0, 0, w, 0, h, 0, d))
        padded = x.shape[:4]
        if shifted:
            x = x.roll([-step for step in shift], dims=(1, 2, 3))
        x = self.attn(window_partition(x, window), mask=mask_matrix if shifted else None)
        x = window_reverse(x, window, *padded)
        if shifted:
            x = x.roll(shift, dims=(1, 2, 3))
        return x[:, : size[0], : size[1], : size[2]].contiguous()


class BasicLayer(nn.Module):
    """A stage: blocks, every second one with shifted windows, then LayerNorm and a linear layer to twice the width."""

    def __init__(
        self,
        dim: int,
        depth: int,
        num_heads: int,
        window_size: Sequence[int],
        drop_path: Sequence[float],
        widen: bool,
        norm_layer: type[nn.Module] = nn.LayerNorm,
        **block,
    ) -> None:
        super().__init__()
        self.window_size, self.shift_size = window_size, tuple(size // 2 for size in window_size)
        self.blocks = nn.ModuleList(
            SwinTransformerBlock3D(
                dim,
                num_heads,
                window_size,
                self.shift_size if i % 2 else (0, 0, 0),
                drop_path=drop_path[i],
                norm_layer=norm_layer,
                **block,
            )
            for i in range(depth)
        )
        if widen:
            self.downsample = nn.Sequential(norm_layer(dim), nn.Linear(dim, 2 * dim, bias=False))
        else:
            self.downsample = nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, D, H, W) -> (B, C or 2 C, D, H, W)."""
        window, shift = get_window_size(x.shape[2:], self.window_size, self.shift_size)
        padded = (-(-total // step) * step for total, step in zip(x.shape[2:], window, strict=True))
        mask = compute_mask(*padded, window, shift, x.device)
        x = x.permute(0, 2, 3, 4, 1)
        for block in self.blocks:
            x = block(x, mask)
        return self.downsample(x).permute(0, 4, 1, 2, 3)


class PatchEmbed3D(nn.Module):
    """Cuts (B, C, D, H, W), padded to whole patches, into patches, a vector of ``embed_dim`` for each."""

    def __init__(
        self,
        patch_size: Sequence[int] = (2, 4, 4),
        in_chans: int = 3,
        embed_dim: int = 96,
        norm_layer: type[nn.Module] | None = None,
    ) -> None:
        super().__init__()
        self.patch_size, self.in_chans, self.embed_dim = patch_size, in_chans, embed_dim
        self.proj = nn.Conv3d(in_chans, embed_dim, kernel_size=patch_size, stride=patch_size)
        self.norm = norm_layer(embed_dim) if norm_layer is not None else None

    def forward(self, x: Tensor) -> Tensor:
        d, h, w = (-total % step for total, step in zip(x.shape[2:], self.patch_size, strict=True))
        x = self.proj(F.pad(x, (0, w, 0, h, 0, d)))
        return x if self.norm is None else self.norm(x.movedim(1, -1)).movedim(-1, 1)


class SwinTransformer3D(nn.Module):
    """Shifted window transformer over video: (B, in_chans, D, H, W) -> (B, num_features, D', H', W').

    Args:
        patch_size, window_size: (frames, rows, columns); windows count patches.
        in_chans, embed_dim: channels of the input and of the first stage.
        depths, num_heads: blocks and heads of each stage.
        mlp_ratio: hidden width of the MLPs / their width.
        qkv_bias, qk_scale: see :class:`WindowAttention3D`.
        drop_rate, attn_drop_rate: dropout; drop_path_rate: stochastic depth of the last block, from 0 at the first.
        patch_norm: normalise the patches' vectors.
        downsample: for each stage, 1: it ends with twice the width, 0: it does not.

    Raises:
        ValueError: another value in ``downsample``.
    """

    def __init__(
        self,
        patch_size: Sequence[int] = (4, 4, 4),
        in_chans: int = 3,
        embed_dim: int = 96,
        depths: Sequence[int] = (2, 2),
        num_heads: Sequence[int] = (3, 6),
        window_size: Sequence[int] = (2, 7, 7),
        mlp_ratio: float = 4.0,
        qkv_bias: bool = True,
        qk_scale: float | None = None,
        drop_rate: float = 0.0,
        attn_drop_rate: float = 0.0,
        drop_path_rate: float = 0.2,
        norm_layer: type[nn.Module] = nn.LayerNorm,
        patch_norm: bool = False,
        downsample: Sequence[int] = (1, 0),
    ) -> None:
        super().__init__()
        if any(kind not in (0, 1) for kind in downsample):
            raise ValueError(f"downsample: {list(downsample)}: expected 1 (twice the width) or 0 for each stage")
        self.num_layers, self.embed_dim, self.patch_norm = len(depths), embed_dim, patch_norm
        self.window_size, self.patch_size = window_size, patch_size
        self.patch_embed = PatchEmbed3D(patch_size, in_chans, embed_dim, norm_layer if patch_norm else None)
        self.pos_drop = nn.Dropout(drop_rate)
        rates = [rate.tolist() for rate in torch.linspace(0, drop_path_rate, sum(depths)).split(list(depths))]
        self.layers = nn.ModuleList()
        for depth, heads, rate, kind in zip(depths, num_heads, rates, downsample, strict=True):
            self.layers.append(
                BasicLayer(
                    embed_dim,
                    depth,
                    heads,
                    window_size,
                    rate,
                    kind == 1,
                    norm_layer,
                    drop=drop_rate,
                    attn_drop=attn_drop_rate,
                    qkv_bias=qkv_bias,
                    mlp_ratio=mlp_ratio,
                    qk_scale=qk_scale,
                )
            )
            embed_dim = 2 * embed_dim if kind == 1 else embed_dim
        self.num_features = embed_dim
        self.norm = norm_layer(embed_dim)

    def forward(self, x: Tensor) -> Tensor:
        x = self.pos_drop(self.patch_embed(x))
        for layer in self.layers:
            x = layer(x)
        return self.norm(x.movedim(1, -1)).movedim(-1, 1)
