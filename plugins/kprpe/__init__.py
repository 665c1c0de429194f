"""Keypoint relative position encoding (KP-RPE): attention biases that follow the joints of a body.

Kim, Su, Liu, Jain, Liu: KeyPoint Relative Position Encoding for Face Recognition, CVPR 2024.
"""

from .adapters import KeypointAttention, register_adapter
from .config import KPRPEConfig
from .handle import KPRPEHandle
from .inject import inject_kprpe
from .keypoints import Keypoints, normalise_keypoints
from .position.buckets import relative_buckets
from .position.global_grid import KeypointRPE
from .position.windows import WindowedKeypointRPE

__all__ = [
    "KPRPEConfig",
    "KPRPEHandle",
    "KeypointAttention",
    "KeypointRPE",
    "Keypoints",
    "WindowedKeypointRPE",
    "inject_kprpe",
    "normalise_keypoints",
    "register_adapter",
    "relative_buckets",
]
