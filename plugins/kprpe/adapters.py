"""The attentions that KP-RPE can go into, recognised by structure; an adapter only swaps where the bias comes from."""

from __future__ import annotations

from functools import cache

import torch
from torch import Tensor, nn

from ..errors import KpstraError
from .attention.windows import attend_windows
from .context import KeypointContext
from .position.global_grid import KeypointRPE
from .position.table import Factors
from .position.windows import WindowedKeypointRPE, spread


class KeypointAttention:
    """What the adapters share. An injected attention is an instance of an adapter and of its own class.

    ``kprpe`` is a submodule, so its parameters follow the network's copies, replicas and state dicts;
    ``kprpe_context`` holds the running forward's keypoints; ``kprpe_adds`` keeps the host's table beside ours;
    ``kprpe_scales`` divides the bias by sqrt(d), as eq. 5 is written.
    """

    kprpe: KeypointRPE | WindowedKeypointRPE
    kprpe_context: KeypointContext
    kprpe_adds: bool
    kprpe_scales: bool

    def keypoint_factors(self) -> tuple[Factors, int]:
        """Return the factors of the running forward, and the number of frames of a sequence."""
        points, confidence = self.kprpe_context.get()
        return self.kprpe.factors(points, confidence, finite=True), points.shape[1] if points.ndim == 4 else 1

    def scaled(self, bias: Tensor) -> Tensor:
        """Give the bias the weights' type, after eq. 5's division where that is asked for."""
        if self.kprpe_scales:
            bias = bias * (self.qkv.weight.shape[0] // 3 // self.num_heads) ** -0.5
        return bias.to(self.qkv.weight.dtype)

    def __reduce_ex__(self, protocol):
        adapter, host = type(self).__bases__
        return _blank, (adapter, host), self.__dict__


class GlobalAttention(KeypointAttention):
    """timm's ViT ``Attention``: the bias goes in as its ``attn_mask``."""

    def forward(self, x: Tensor, attn_mask: Tensor | None = None, **kwargs) -> Tensor:
        """As the host's, with the bias added to ``attn_mask``; x is (B, tokens, C)."""
        tokens = self.kprpe.index.shape[-1]
        if x.shape[1] != tokens:
            raise KpstraError(f"KP-RPE: built for {tokens} tokens, got {x.shape[1]}: build the network for this size")
        images = self.kprpe_context.get().points.shape[:-2].numel()
        if images != x.shape[0]:
            raise KpstraError(f"KP-RPE: keypoints of {images} images, but features of {x.shape[0]}")
        bias = self.scaled(self.kprpe.bias(self.keypoint_factors()[0], 0))
        if attn_mask is not None:
            masked = attn_mask.dtype == torch.bool
            bias = bias.masked_fill(~attn_mask, float("-inf")) if masked else bias + attn_mask
        return super().forward(x, attn_mask=bias, **kwargs)


class PartitioningAttention(KeypointAttention):
    """torchvision's ``ShiftedWindowAttention`` and ``3d``, which cut x (B, [T,] H, W, C) into windows themselves."""

    def forward(self, x: Tensor) -> Tensor:
        """As the host's; remembers the size of x, which the host's hook for the bias is not given."""
        self.kprpe_size = tuple(x.shape[:-1])
        return super().forward(x)

    def get_relative_position_bias(self, *window_size) -> Tensor:
        """The host's hook: (windows, heads, n, n)."""
        factors, frames = self.keypoint_factors()
        batch, *time, height, width = self.kprpe_size
        if time and time[0] != frames:
            raise KpstraError(f"KP-RPE: {time[0]} frames of features, but keypoints of {frames}: set (B, T, L, 2)")
        compact = self.kprpe.frame_bias(factors, 0, frames, (height, width))
        sequences = batch if time else batch // frames
        bias = self.scaled(spread(compact, sequences * self.kprpe.windows(0, frames, (height, width))))
        return bias + super().get_relative_position_bias(*window_size) if self.kprpe_adds else bias


class WindowAttention(KeypointAttention):
    """timm's ``WindowAttention``, given windows (B * windows, n, C)."""

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """As the host's; remembers how many windows there are, which the host's hook for the bias is not given."""
        self.kprpe_windows = x.shape[0]
        return super().forward(x, mask)

    def _get_rel_pos_bias(self) -> Tensor:
        factors, frames = self.keypoint_factors()
        bias = self.scaled(spread(self.kprpe.frame_bias(factors, 0, frames), self.kprpe_windows))
        return bias + super()._get_rel_pos_bias() if self.kprpe_adds else bias


class SequenceWindowAttention(KeypointAttention):
    """OpenGait's ``WindowAttention3D``, given windows (B * windows, n, C) of sequences; it has no hook for the bias."""

    def forward(self, x: Tensor, mask: Tensor | None = None, tokens: int | None = None) -> Tensor:
        """As the host's: softmax(q k^T scale + B + mask) v; ``mask`` is (windows of a sequence, n, n) or None.

        ``tokens``: n where the rows of x beyond it are padding.
        """
        windows, rows, channels = x.shape
        n = tokens or rows
        q, k, v = self.qkv(x).view(windows, rows, 3, self.num_heads, -1).permute(2, 0, 3, 1, 4)  # windows, heads, n, d
        factors, frames = self.keypoint_factors()
        bias = self.scaled(self.kprpe.frame_bias(factors, 0, frames))  # compact: frames, places, heads, n, n
        if self.kprpe_adds:
            table = self.relative_position_bias_table[self.relative_position_index[:n, :n].reshape(-1)]
            bias = bias + table.view(n, n, -1).permute(2, 0, 1)
        dropout = self.attn_drop.p if self.training else 0.0
        out = attend_windows(q, k, v, bias, mask, self.scale, dropout).transpose(1, 2)
        return self.proj_drop(self.proj(out.reshape(windows, rows, channels)))


def recognise(module: nn.Module) -> type[KeypointAttention] | None:
    """Return the adapter for ``module``, or None if it is no attention that KP-RPE fits."""
    if isinstance(module, KeypointAttention) or not all(hasattr(module, name) for name in ("qkv", "proj", "num_heads")):
        return None
    if hasattr(module, "logit_scale"):  # cosine attention (Swin V2) has no additive table
        return None
    if hasattr(module, "relative_position_bias_table") and hasattr(module, "window_size"):
        if hasattr(module, "get_relative_position_bias") and hasattr(module, "shift_size"):
            return PartitioningAttention
        if hasattr(module, "_get_rel_pos_bias"):
            return WindowAttention
        if len(module.window_size) == 3 and hasattr(module, "scale"):
            return SequenceWindowAttention
    elif hasattr(module, "q_norm") and hasattr(module, "fused_attn"):
        return GlobalAttention
    return None


@cache
def adapted(adapter: type[KeypointAttention], host: type[nn.Module]) -> type[nn.Module]:
    """Return the class that is both ``adapter`` and ``host``."""
    return type(f"KPRPE{host.__name__}", (adapter, host), {})


def _blank(adapter: type[KeypointAttention], host: type[nn.Module]) -> nn.Module:
    cls = adapted(adapter, host)
    return cls.__new__(cls)
