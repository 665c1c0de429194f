"""Transformers of timm as backbones: images to a global feature and a map of tokens."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import timm
import torch
from torch import Tensor, nn

from plugins.errors import KpstraError

SIZE = (256, 128)  # height and width where nothing else is asked for
DROP_PATH = 0.1
BACKBONES: dict[str, tuple[str, Mapping[str, Any]]] = {  # name here -> name in timm, arguments of create_model
    "vit_mini_patch8": (
        "vit_tiny_patch16_224",
        {"patch_size": 8, "embed_dim": 96, "depth": 4},
    ),  # from scratch, on a CPU
    "vit_tiny_patch16": ("vit_tiny_patch16_224", {}),
    "vit_small_patch16": ("vit_small_patch16_224", {}),
    "vit_base_patch16": ("vit_base_patch16_224", {}),
    "swin_tiny": ("swin_tiny_patch4_window7_224", {}),
    "swin_small": ("swin_small_patch4_window7_224", {}),
}


def build_backbone(name: str, size: tuple[int, int] = SIZE) -> nn.Module:
    """Build a backbone of :data:`BACKBONES` with random weights for images of ``size`` (height, width).

    Raises:
        KpstraError: timm cannot build it for this size.
    """
    timm_name, arguments = BACKBONES[name]
    height, width = size
    patch = arguments.get("patch_size", 16) if name.startswith("vit") else 4
    if min(size) < 32 or height % patch or width % patch:
        raise KpstraError(
            f"{name}: images of {height}x{width}: it takes multiples of {patch} pixels from 32; set data.height and "
            "data.width (image_size in Python)"
        )
    return timm.create_model(
        timm_name, img_size=(height, width), num_classes=0, global_pool="", drop_path_rate=DROP_PATH, **arguments
    )


def features(backbone: nn.Module, images: Tensor) -> tuple[Tensor, Tensor]:
    """Return the global feature (B, C), class token or mean of all tokens, and the map of tokens (B, h, w, C).

    Raises:
        KpstraError: the images are not of the size that the backbone was built for.
    """
    size = tuple(backbone.patch_embed.img_size)
    if not torch.compiler.is_compiling() and tuple(images.shape[-2:]) != size:
        raise KpstraError(
            f"images of {images.shape[-2]}x{images.shape[-1]}, but the network was built for {size[0]}x{size[1]}; give "
            "that size (data.height and data.width, image_size in Python)"
        )
    tokens = backbone.forward_features(images)
    if tokens.ndim == 4:  # Swin: B, h, w, C
        return tokens.mean((1, 2)), tokens
    height, width = backbone.patch_embed.grid_size
    return tokens[:, 0], tokens[:, backbone.num_prefix_tokens :].unflatten(1, (height, width))
