"""Models; ``model_cfg.model`` names one."""

from .deepgaitv2 import DeepGaitV2
from .swingait import SwinGait

__all__ = ["DeepGaitV2", "SwinGait"]
