"""The ViT that the KP-RPE paper trains on faces, of timm's parts, with KP-RPE injected."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from functools import partial
from typing import Any

from timm.models.vision_transformer import VisionTransformer
from torch import Tensor, nn

from plugins.common.checkpoints import fit
from plugins.errors import KpstraError, some
from plugins.keypoints.joints import FIVE_POINTS
from plugins.kprpe import KPRPEConfig, KPRPEHandle, inject_kprpe

DROP_PATH = 0.1
LINEAR = ("keypoint_linear.weight", "keypoint_linear.bias")  # the authors' f(P) of all layers


class FaceViT(nn.Module):
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

    Raises:
        KpstraError: sizes that do not fit each other, or settings that KP-RPE does not know.

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
    ) -> None:
        super().__init__()
        height, width = (img_size, img_size) if isinstance(img_size, int) else img_size
        if min(height, width) < patch_size or height % patch_size or width % patch_size:
            raise KpstraError(
                f"FaceViT: images of {height}x{width}: expected multiples of the patches' {patch_size} pixels; set "
                "data.height and data.width (img_size in Python)"
            )
        if embed_dim % num_heads:
            raise KpstraError(f"FaceViT: embed_dim {embed_dim}: expected a multiple of num_heads, {num_heads}")
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
        tokens = self.trunk.patch_embed.num_patches
        self.feature = nn.Sequential(
            nn.Linear(tokens * embed_dim, embed_dim, bias=False),
            nn.BatchNorm1d(embed_dim, eps=2e-5),
            nn.Linear(embed_dim, feature_dim, bias=False),
            nn.BatchNorm1d(feature_dim, eps=2e-5),
        )
        for layer in self.feature[::2]:
            nn.init.trunc_normal_(layer.weight, std=0.02)
        self.feature_dim, self.has_kprpe = feature_dim, kprpe is not None
        if kprpe is not None:
            given = {"num_keypoints": FIVE_POINTS, **kprpe} if isinstance(kprpe, Mapping) else kprpe
            inject_kprpe(self.trunk, given)

    @property
    def kprpe(self) -> KPRPEHandle:
        """The injected attentions.

        Raises:
            KpstraError: the network is the plain one.
        """
        return KPRPEHandle(self.trunk)

    def forward(self, images: Tensor, keypoints: Tensor | None = None) -> Tensor:
        """Map images and landmarks to features (B, feature_dim).

        Args:
            images: (B, 3, H, W), RGB in [-1, 1].
            keypoints: (B, L, 2), x and y in [0, 1] of the images, or (B, L, 3) with a score from 0 to 1, which weights
                the landmark's part of f(P), 0 where it is absent. The plain network takes no notice of them.

        Raises:
            KpstraError: other shapes, or values that cannot be right.
        """
        return self.feature(self.tokens(images, keypoints).flatten(1))

    def tokens(self, images: Tensor, keypoints: Tensor | None = None) -> Tensor:
        """Return the tokens (B, N, C) after the last norm, row by row; arguments as :meth:`forward` has them."""
        size = tuple(self.trunk.patch_embed.img_size)
        if images.ndim != 4 or tuple(images.shape[1:]) != (3, *size):
            raise KpstraError(f"FaceViT: images {tuple(images.shape)}: expected (B, 3, {size[0]}, {size[1]})")
        if not self.has_kprpe:
            return self.trunk.forward_features(images)
        points, confidence = landmarks_of(keypoints, "FaceViT")
        with self.kprpe.set_keypoints(points, confidence):
            return self.trunk.forward_features(images)

    def undecayed(self) -> list[nn.Parameter]:
        """Return what CVLface gives no weight decay: biases, norms and positions; f(P)'s weights are decayed."""
        return undecayed(self)

    def load_reference(self, state_dict: Mapping[str, Tensor]) -> None:
        """Load weights under CVLface's names, with or without the ``net.`` of its published files.

        The plain network leaves the layer of KP-RPE out, with a warning.

        Raises:
            KpstraError: weights of another network: of other sizes or names, or plain ones for a network with KP-RPE.
        """
        weights = {name.removeprefix("module.").removeprefix("net."): value for name, value in state_dict.items()}
        linear = [weights.pop(name, None) for name in LINEAR]
        if self.has_kprpe and any(part is None for part in linear):
            raise KpstraError(
                "FaceViT.load_reference: no keypoint_linear.weight and .bias in the weights: they are not of a network "
                "with KP-RPE; build it with kprpe=None"
            )
        if not self.has_kprpe and any(part is not None for part in linear):
            warnings.warn("FaceViT.load_reference: keypoint_linear is left out: built with kprpe=None", stacklevel=2)
        weights = {name if name.startswith("feature.") else f"trunk.{name}": value for name, value in weights.items()}
        own = {name: value for name, value in self.state_dict().items() if ".kprpe." not in name}
        report = fit(weights, own, "FaceViT.load_reference")
        if wrong := [*report.left_out, *report.kept]:
            raise KpstraError(
                f"FaceViT.load_reference: weights of another network: {len(wrong)} are missing, unknown or of another "
                f"shape ({some(wrong)}); build it with the sizes of the file's own configuration"
            )
        if self.has_kprpe:
            self.kprpe.load_reference(*linear)
        self.load_state_dict(report.weights, strict=False)


def undecayed(network: nn.Module) -> list[nn.Parameter]:
    """Return biases, what has one dimension, and learned positions."""
    names = ("bias", "pos_embed")
    return [value for name, value in network.named_parameters() if value.ndim == 1 or name.endswith(names)]


def landmarks_of(keypoints: Tensor | None, network: str) -> tuple[Tensor, Tensor | None]:
    """Return points (B, L, 2) and, of (B, L, 3), scores (B, L).

    Raises:
        KpstraError: keypoints of another shape, or none.
    """
    if keypoints is None or keypoints.ndim != 3 or keypoints.shape[-1] not in (2, 3):
        given = "none" if keypoints is None else tuple(keypoints.shape)
        raise KpstraError(
            f"{network}: keypoints: {given}: expected (B, {FIVE_POINTS}, 2), x and y in [0, 1] of the images, or "
            f"(B, {FIVE_POINTS}, 3) with scores"
        )
    return keypoints[..., :2], keypoints[..., 2] if keypoints.shape[-1] == 3 else None
