"""Keypoints as a model's second modality, and the mean pose that the controls without them see."""

from __future__ import annotations

from collections.abc import Sequence

import torch.distributed as dist
from torch import Tensor

from plugins.errors import KpstraError
from plugins.kprpe.position.pose import MeanPose


def checked_joints(modalities: Sequence[Tensor], count: int, model: str) -> tuple[Tensor, Tensor]:
    """Return silhouettes (n, s, H, W) and keypoints (n, s, ``count``, 3) of a batch.

    Args:
        modalities: of the batch.
        count: of joints.
        model: its name, for messages.

    Raises:
        KpstraError: another number of modalities, or shapes that do not go together.
    """
    if len(modalities) != 2:
        raise KpstraError(
            f"{model}: {len(modalities)} modalities, expected silhouettes and keypoints; "
            "check data_cfg.data_in_use, and prepare the data with `opengait-ext prepare`"
        )
    silhouettes, keypoints = modalities[0], modalities[1].detach()
    expected = (*silhouettes.shape[:2], count, 3)
    if silhouettes.ndim != 4 or tuple(keypoints.shape) != expected:
        raise KpstraError(
            f"{model}: keypoints {tuple(keypoints.shape)} with silhouettes {tuple(silhouettes.shape)}"
            f", expected {expected}; silhouettes must come first and keypoints second (0_sil, 1_keypoints)"
        )
    return silhouettes, keypoints


def share_poses(poses: Sequence[MeanPose]) -> None:
    """Give all processes the mean poses of the first."""
    if dist.is_available() and dist.is_initialized():
        for buffer in (buffer for pose in poses for buffer in pose.buffers()):
            dist.broadcast(buffer, 0)
