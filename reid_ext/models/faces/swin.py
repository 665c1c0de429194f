"""CVLface's Swin V2 for faces, of torchvision's parts, with KP-RPE injected."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torchvision.models.swin_transformer import PatchMergingV2, SwinTransformer, SwinTransformerBlockV2

from plugins.errors import KpstraError
from plugins.kprpe import KPRPEConfig

from .network import FaceNetwork, own_names

PATCH, WINDOW = 3, 5
FIXED = ("relative_position_index", "relative_coords_table")  # buffers that sizes decide


class FaceSwin(FaceNetwork):
    """Swin V2 for faces in patches of 3, windows of 5x5, with the head of :class:`FaceViT` over the last map.

    Args:
        img_size: pixels, one number or (height, width).
        embed_dim: width of the first stage C; the last has 8 C.
        depths: blocks of each stage.
        num_heads: of each stage's attentions.
        mlp_ratio: width of the hidden layer over the stage's.
        feature_dim: width of the feature.
        drop_path: highest rate of stochastic depth.
        kprpe: ``None`` for the plain network, or fields of :class:`plugins.kprpe.KPRPEConfig`: ``{}`` is CVLface's
            KP-RPE, which takes the place of the network's own table, in the frame of the image.

    Raises:
        KpstraError: settings that KP-RPE does not know.

    Example:
        >>> network = FaceSwin(kprpe={}).eval()
        >>> features = network(images, landmarks)  # (B, 3, 112, 112) in [-1, 1], (B, 5, 2) in [0, 1]: (B, 512)
    """

    def __init__(
        self,
        img_size: int | tuple[int, int] = 112,
        embed_dim: int = 128,
        depths: Sequence[int] = (2, 2, 12, 2),
        num_heads: Sequence[int] = (4, 8, 16, 32),
        mlp_ratio: float = 4,
        feature_dim: int = 512,
        drop_path: float = 0.3,
        kprpe: KPRPEConfig | Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(img_size, feature_dim)
        self.depths = tuple(depths)
        self.trunk = SwinTransformer(
            [PATCH, PATCH],
            embed_dim,
            list(depths),
            list(num_heads),
            [WINDOW, WINDOW],
            mlp_ratio,
            stochastic_depth_prob=drop_path,
            norm_layer=partial(nn.LayerNorm, eps=1e-5),
            block=SwinTransformerBlockV2,
            downsample_layer=PatchMergingV2,
        )
        self.trunk.avgpool = self.trunk.permute = self.trunk.head = nn.Identity()  # tokens come out flattened
        width, sides = embed_dim * 2 ** (len(depths) - 1), [side // PATCH for side in self.img_size]
        for _ in depths[1:]:
            sides = [-(-side // 2) for side in sides]
        self.build_head(sides[0] * sides[1] * width, width)
        self.inject(kprpe, grid="image")

    def load_reference(self, state_dict: Mapping[str, Tensor]) -> None:
        """Load weights under CVLface's names: the network's after ``net.``, and ``keypoint_linear.0`` to ``.3``.

        Raises:
            KpstraError: weights of another network, or plain ones for a network with KP-RPE or the other way round.
        """
        weights = own_names(state_dict)
        linear = {name: weights.pop(name) for name in [*weights] if name.startswith("keypoint_linear.")}
        parts = [[linear.get(f"keypoint_linear.{i}.{p}") for i in range(len(self.depths))] for p in ("weight", "bias")]
        if self.has_kprpe and any(part is None for part in [*parts[0], *parts[1]]):
            raise KpstraError(
                "FaceSwin.load_reference: no keypoint_linear.0 to .3 in the weights: they are not of a network with "
                "KP-RPE; build it with kprpe=None"
            )
        if linear and not self.has_kprpe:
            raise KpstraError(
                "FaceSwin.load_reference: keypoint_linear in the weights: they are of a network with KP-RPE, without "
                "a table of its own; build it with kprpe={}"
            )
        fitted = self.fitted({self._own_name(name): value for name, value in weights.items()}, FIXED)
        if self.has_kprpe:
            self.kprpe.load_reference(*map(torch.cat, parts))
        self.load_state_dict(fitted, strict=False)

    def _own_name(self, name: str) -> str:
        """Turn CVLface's ``features.N``, blocks and mergings in a row, to torchvision's stages."""
        places = ["0"]
        for stage, depth in enumerate(self.depths):
            places += [f"{2 * stage + 1}.{block}" for block in range(depth)] + [f"{2 * stage + 2}"]
        if match := re.match(r"features\.(\d+)\.", name):
            number = int(match[1])
            place = places[number] if number < len(places) else match[1]
            return f"trunk.features.{place}.{name[match.end() :]}"
        return name if name.startswith("feature.") else f"trunk.{name}"
