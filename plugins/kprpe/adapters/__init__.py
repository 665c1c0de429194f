"""The attentions that KP-RPE goes into: one file a family; :func:`register_adapter` takes further ones."""

from . import multihead, timm_swin, torchvision_swin, vit
from .base import KeypointAttention, Place
from .build import build_global, build_windowed
from .registry import register_adapter

__all__ = [
    "KeypointAttention",
    "Place",
    "build_global",
    "build_windowed",
    "multihead",
    "register_adapter",
    "timm_swin",
    "torchvision_swin",
    "vit",
]
