"""Keypoint relative position encoding (KP-RPE): attention biases that follow the joints of a body.

Kim, Su, Liu, Jain, Liu: KeyPoint Relative Position Encoding for Face Recognition, CVPR 2024.
"""

from .config import KPRPEConfig
from .context import Keypoints
from .inject import KPRPEHandle, inject_kprpe
from .position.buckets import relative_buckets
from .position.global_grid import KeypointRPE
from .position.windows import WindowedKeypointRPE

__all__ = [
    "KPRPEConfig",
    "KPRPEHandle",
    "KeypointRPE",
    "Keypoints",
    "WindowedKeypointRPE",
    "inject_kprpe",
    "relative_buckets",
]
