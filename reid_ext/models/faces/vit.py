"""The ViT that the KP-RPE paper trains on faces, of timm's parts, with KP-RPE injected."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from functools import partial
from typing import Any

from timm.models.vision_transformer import VisionTransformer
from torch import Tensor, nn

from plugins.errors import KpstraError
from plugins.kprpe import KPRPEConfig
from plugins.kprpe.attention.contextual import ContextualAttention

from .network import FaceNetwork, own_names

DROP_PATH = 0.1
LINEAR = ("keypoint_linear.weight", "keypoint_linear.bias")  # the authors' f(P) of all layers


class FaceViT(FaceNetwork):
    """Vision transformer for faces: no class token, ReLU6, and a head over all tokens, as CVLface's ``vit_kprpe``.

    Tokens after the last norm are flattened: Linear, BN, Linear, BN, the linear layers without bias. The feature is not
    normalised: AdaFace takes its length for the image's quality.

    Args:
        img_size: pixels, one number or (height, width).
        patch_size: pixels, which divide it.
        embed_dim: width of the tokens C; ``num_heads`` divide it.
        depth: blocks.
        num_heads: of each attention.
        mlp_ratio: width of the hidden layer over ``embed_dim``.
        feature_dim: width of the feature.
        kprpe: ``None`` for the plain network, or fields of :class:`plugins.kprpe.KPRPEConfig`: ``{}`` is the paper's
            KP-RPE with five landmarks; ``{"formulation": "second_order"}``, ``{"keypoints": "constant"}``.
        irpe: with iRPE on queries, keys and values, as CVLface's ``vit_irpe``, instead of KP-RPE.

    Raises:
        KpstraError: sizes that do not fit each other, settings that KP-RPE does not know, or both encodings.

    Example:
        >>> network = FaceViT(depth=24, num_heads=16, mlp_ratio=3, kprpe={}).eval()
        >>> network.load_reference(torch.load("pretrained_model/model.pt"))
        >>> features = network(images, landmarks)  # (B, 3, 112, 112) in [-1, 1], (B, 5, 2) in [0, 1]: (B, 512)
    """

    def __init__(
        self,
        img_size: int | tuple[int, int] = 112,
        patch_size: int = 8,
        embed_dim: int = 512,
        depth: int = 12,
        num_heads: int = 8,
        mlp_ratio: float = 5,
        feature_dim: int = 512,
        kprpe: KPRPEConfig | Mapping[str, Any] | None = None,
        irpe: bool = False,
    ) -> None:
        super().__init__(img_size, feature_dim)
        height, width = self.img_size
        if min(height, width) < patch_size or height % patch_size or width % patch_size:
            raise KpstraError(
                f"FaceViT: images of {height}x{width}: expected multiples of the patches' {patch_size} pixels; set "
                "data.height and data.width (img_size in Python)"
            )
        if embed_dim % num_heads:
            raise KpstraError(f"FaceViT: embed_dim {embed_dim}: expected a multiple of num_heads, {num_heads}")
        if irpe and kprpe is not None:
            raise KpstraError("FaceViT: irpe and kprpe: choose one of them")
        self.trunk = VisionTransformer(
            img_size=(height, width),
            patch_size=patch_size,
            embed_dim=embed_dim,
            depth=depth,
            num_heads=num_heads,
            mlp_ratio=mlp_ratio,
            qkv_bias=False,
            class_token=False,
            global_pool="",
            num_classes=0,
            drop_path_rate=DROP_PATH,
            norm_layer=partial(nn.LayerNorm, eps=1e-5),
            act_layer=nn.ReLU6,
        )
        self.build_head(self.trunk.patch_embed.num_patches * embed_dim, embed_dim)
        self.inject(kprpe)
        for block in self.trunk.blocks if irpe else ():
            block.attn = ContextualAttention(block.attn, self.trunk.patch_embed.grid_size)

    def trunk_tokens(self, images: Tensor) -> Tensor:
        """Return the tokens (B, N, C), row by row."""
        return self.trunk.forward_features(images)

    def load_reference(self, state_dict: Mapping[str, Tensor]) -> None:
        """Load weights under CVLface's names, with or without the ``net.`` of its published files.

        The plain network leaves the layer of KP-RPE out, with a warning.

        Raises:
            KpstraError: weights of another network: of other sizes or names, or plain ones for a network with KP-RPE.
        """
        weights = own_names(state_dict)
        linear = [weights.pop(name, None) for name in LINEAR]
        if self.has_kprpe and any(part is None for part in linear):
            raise KpstraError(
                "FaceViT.load_reference: no keypoint_linear.weight and .bias in the weights: they are not of a network "
                "with KP-RPE; build it with kprpe=None"
            )
        if not self.has_kprpe and any(part is not None for part in linear):
            warnings.warn("FaceViT.load_reference: keypoint_linear is left out: built with kprpe=None", stacklevel=2)
        fitted = self.fitted(
            {name if name.startswith("feature.") else f"trunk.{name}": value for name, value in weights.items()}
        )
        if self.has_kprpe:
            self.kprpe.load_reference(*linear)
        self.load_state_dict(fitted, strict=False)
