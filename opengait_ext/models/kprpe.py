"""SwinGait with keypoint relative position encoding (KP-RPE, CVPR 2024)."""

from __future__ import annotations

from .keypoint_bias import KeypointBias
from .swingait import SizedSwinGait, SwinGait2D


class SwinGait2DKPRPE(KeypointBias, SwinGait2D):
    """SwinGait-2D with KP-RPE, the model of the paper's Table 5."""


class SwinGait3DKPRPE(KeypointBias, SizedSwinGait):
    """OpenGait's SwinGait (windows over three frames) with KP-RPE: each token follows its own frame's keypoints."""
