"""Networks for faces: KP-RPE's ViT and Swin, StRA's ResNet50, and the one for expressions."""

from .swin import FaceSwin
from .vit import FaceViT

__all__ = ["FaceSwin", "FaceViT"]
