"""Networks for faces: KP-RPE's ViT, StRA's ResNet50, and the one for expressions."""

from .vit import FaceViT

__all__ = ["FaceViT"]
