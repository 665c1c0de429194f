"""A shallow vision transformer with the position encodings to compare."""

from __future__ import annotations

from contextlib import nullcontext

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...errors import KpstraError, one_of
from ...kprpe import inject_kprpe, relative_buckets
from ...kprpe.position.lookup import lookup
from ...modes import PartCentres, modes_config
from .affine import CANVAS
from .modes import ToyModes
from .variants import VARIANTS

PATCH, DIM, DEPTH, HEADS, RATIO = 5, 48, 2, 3, 2
GRID = (CANVAS // PATCH, CANVAS // PATCH)
POINTS = 5
MEAN, STD = 0.1, 0.3  # of a canvas, about


class ToyNetwork(nn.Module):
    """timm's ViT with learned absolute position embeddings; a variant adds to them.

    All variants of a seed start with the same weights, and their tables at zero. Training begins with :meth:`fit_pose`.

    Args:
        variant: one of ``VARIANTS``.

    Raises:
        KpstraError: an unknown variant, or timm is not installed.
    """

    def __init__(self, variant: str) -> None:
        super().__init__()
        one_of(variant, VARIANTS, "variant")
        self.variant = variant
        self.vit = _vision_transformer()
        for block in self.vit.blocks:
            block.attn.fused_attn = False  # under a bias that is trained, the formula as it stands is faster on a CPU
        self.handle, self.modes, kprpe = None, None, VARIANTS[variant].kprpe
        if variant in ("rpe", "irpe"):
            for block in self.vit.blocks:
                block.attn = (RelativeAttention if variant == "rpe" else ContextualAttention)(block.attn)
        elif VARIANTS[variant].modes:
            self.modes = ToyModes(POINTS)
            self.handle = inject_kprpe(self.vit, modes_config(POINTS, kprpe))
        elif kprpe is not None:
            self.handle = inject_kprpe(self.vit, {"num_keypoints": POINTS, **kprpe})

    def forward(self, canvases: Tensor, keypoints: Tensor) -> Tensor:
        """Return logits (B, 10) of canvases (B, 1, 40, 40) in [0, 1] with keypoints (B, 5, 2) in [0, 1]."""
        return self.with_diversity(canvases, keypoints)[0]

    def with_diversity(self, canvases: Tensor, keypoints: Tensor) -> tuple[Tensor, Tensor]:
        """Return the logits, and what the modes' diversity loss adds to theirs: a scalar, 0 where there are none."""
        if self.variant == "drawn":
            canvases = draw_keypoints(canvases, keypoints)
        canvases = (canvases - MEAN) / STD
        if self.modes is not None:
            parts = self.modes(canvases)
            with self.handle.set_keypoints(parts.points, parts.confidence, learned=True):
                return self.vit(canvases), self.modes.diversity(parts)
        with self.handle.set_keypoints(keypoints) if self.handle else nullcontext():
            return self.vit(canvases), canvases.new_zeros(())

    @torch.no_grad()
    def parts(self, canvases: Tensor) -> PartCentres:
        """Return the parts that a network with modes finds in canvases (B, 1, 40, 40)."""
        return self.modes((canvases - MEAN) / STD)

    def fit_pose(self, canvases: Tensor, keypoints: Tensor) -> None:
        """Give KP-RPE the mean pose and the spread of keypoints (B, 5, 2), or of the modes, as training begins."""
        if self.handle:
            self.handle.fit_pose(keypoints if self.modes is None else self.parts(canvases).points)

    def image_shares(self, canvases: Tensor, keypoints: Tensor) -> dict[str, float]:
        """Return the shares of B's variance that images decide, see :meth:`KPRPEHandle.image_shares`."""
        if not self.handle:
            return {}
        if self.modes is None:
            return self.handle.image_shares(keypoints)
        return self.handle.image_shares(*self.parts(canvases)[:2])

    def tables(self) -> list[nn.Parameter]:
        """Return the parameters of the attention biases; they take no weight decay."""
        if self.handle:
            return list(self.handle.parameters())
        return [m.table for m in self.modules() if isinstance(m, RelativeAttention)]


class RelativeAttention(nn.Module):
    """timm's ``Attention`` with B_ij = W[d(i, j)] (eq. 6), a table for each head."""

    def __init__(self, attention: nn.Module) -> None:
        super().__init__()
        index, buckets = relative_buckets(*GRID)
        self.attention = attention
        self.register_buffer("index", index.clone(), persistent=False)
        self.table = nn.Parameter(torch.zeros(self.table_size(buckets)))

    def table_size(self, buckets: int) -> tuple[int, int]:
        return self.attention.num_heads, buckets

    def forward(self, x: Tensor, attn_mask: Tensor | None = None, **kwargs) -> Tensor:
        """As the host's, with the bias as its mask; x is (B, tokens, C)."""
        return self.attention(x, attn_mask=self.bias(x), **kwargs)

    def bias(self, x: Tensor) -> Tensor:
        """Return B, (heads, tokens, tokens)."""
        return lookup(self.table, self.index)


class ContextualAttention(RelativeAttention):
    """The same with iRPE's contextual bias on keys: B_ij = q_i . R[d(i, j)] / sqrt(d), R shared by the heads."""

    def table_size(self, buckets: int) -> tuple[int, int]:
        return buckets, self.attention.head_dim

    def bias(self, x: Tensor) -> Tensor:
        """Return B, (B, heads, tokens, tokens)."""
        weight, bias = (p[: x.shape[-1]] for p in (self.attention.qkv.weight, self.attention.qkv.bias))
        q = F.linear(x, weight, bias).unflatten(2, (self.attention.num_heads, -1)).transpose(1, 2)
        values = q @ self.table.T * self.attention.scale  # B, heads, tokens, K
        return values.gather(3, self.index.expand(*q.shape[:2], -1, -1))


def draw_keypoints(canvases: Tensor, keypoints: Tensor) -> Tensor:
    """Return the canvases (B, 1, H, W) with a white pixel at each keypoint; those beyond the canvas are left out."""
    size = torch.tensor(canvases.shape[:-3:-1], device=keypoints.device)  # width, height
    pixels = (keypoints * size).floor().long()
    image, point = ((pixels >= 0) & (pixels < size)).all(dim=-1).nonzero(as_tuple=True)
    x, y = pixels[image, point].unbind(-1)
    drawn = canvases.clone()
    drawn[image, 0, y, x] = 1
    return drawn


def _vision_transformer() -> nn.Module:
    try:
        from timm.models.vision_transformer import VisionTransformer
    except ImportError as error:
        raise KpstraError("the toy's network needs timm: pip install '.[toy]'") from error
    return VisionTransformer(
        CANVAS,
        PATCH,
        in_chans=1,
        num_classes=10,
        global_pool="max",
        embed_dim=DIM,
        depth=DEPTH,
        num_heads=HEADS,
        mlp_ratio=RATIO,
        class_token=False,
        weight_init="jax",
    )
