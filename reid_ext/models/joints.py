"""What models that take keypoints share: joints in pixels checked and normalised, settings, the mean pose."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor

from plugins.errors import KpstraError
from plugins.kprpe import KPRPEHandle, normalise_keypoints


def joints_of(keypoints: Tensor, images: Tensor, joints: int) -> tuple[Tensor, Tensor]:
    """Return points (B, joints, 2) in [0, 1] of the images and scores (B, joints) in [0, 1]; looks at no values.

    Args:
        keypoints: (B, joints, 3), x, y in pixels of the images, whole numbers being pixel centres, and score.
        images: (B, 3, H, W).
        joints: how many the model takes.

    Raises:
        KpstraError: keypoints of another shape.
    """
    if tuple(keypoints.shape) != (images.shape[0], joints, 3):
        raise KpstraError(
            f"keypoints {tuple(keypoints.shape)}: expected {(images.shape[0], joints, 3)}, x, y in pixels of the "
            "images and score"
        )
    keypoints = keypoints.detach().float()
    return normalise_keypoints(keypoints, images.shape[-2:]), keypoints[..., 2].clamp(0, 1)


def present(scores: Tensor) -> Tensor:
    """Return 1 for joints that are there and 0 for absent ones, whose place means nothing, of scores (B, L)."""
    return (scores > 0).to(scores.dtype)


def checked_settings(kprpe: Mapping[str, Any], known: Sequence[str]) -> dict[str, Any]:
    """Return a copy of the ``kprpe`` settings.

    Raises:
        KpstraError: one that has no effect on the model.
    """
    for key in kprpe:
        if key not in known:
            raise KpstraError(f"kprpe.{key}: has no effect on this model, which knows {', '.join(known)}")
    return dict(kprpe)


class MeanPoseOfTables:
    """Mixed into a network whose ``kprpe`` is a :class:`KPRPEHandle`: the mean pose of all its tables."""

    kprpe: KPRPEHandle

    @property
    def wants_pose(self) -> bool:
        """Whether some table has no mean pose yet, and needs it."""
        poses = [attention.kprpe.pose for attention in self.kprpe.attentions.values()]
        return any(pose is not None and not int(pose.count) for pose in poses)

    def fit_pose(self, points: Tensor, scores: Tensor) -> None:
        """Give every table the mean pose of poses (N, L, 2) in [0, 1] of their images, with scores (N, L)."""
        self.kprpe.fit_pose(points, scores)
