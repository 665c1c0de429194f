"""Keypoint relative position encoding (KP-RPE): attention biases that follow the joints of a body.

Kim, Su, Liu, Jain, Liu: KeyPoint Relative Position Encoding for Face Recognition, CVPR 2024.
"""
from .buckets import relative_buckets
from .context import Keypoints
from .inject import KPRPEConfig, KPRPEHandle, inject_kprpe
from .rpe import KeypointRPE
from .windowed import WindowedKeypointRPE

__all__ = [
    "KPRPEConfig",
    "KPRPEHandle",
    "KeypointRPE",
    "Keypoints",
    "WindowedKeypointRPE",
    "inject_kprpe",
    "relative_buckets",
]
