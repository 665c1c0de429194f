"""A head that also pools around the joints, body part by body part, as the keypoint-guided heads of re-ID do."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ..keypoints.joints import JOINTS
from ..kprpe.keypoints import pixels_of
from .heatmaps import joint_maps

PARTS = {"head": range(5), "torso": (5, 6, 11, 12), "arms": range(7, 11), "legs": range(13, 17)}  # COCO's joints
SIGMA = 0.7  # of the Gaussians, in tokens


class JointPooling(nn.Module):
    """Adds to a global feature what is pooled around the joints: ``v + W [f_head, f_torso, f_arms, f_legs]``.

    ``f_part = sum_x w(x) F(x) / sum_x w(x)`` with ``w(x) = sum_l score_l exp(-|x - joint_l|^2 / (2 sigma^2))`` over the
    part's joints; a part without a joint on the map has ``f = 0``. W starts at zero: the network begins as the one
    without.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.project = nn.Linear(len(PARTS) * width, width, bias=False)
        nn.init.zeros_(self.project.weight)
        membership = torch.zeros(len(PARTS), JOINTS)
        for part, joints in zip(membership, PARTS.values(), strict=True):
            part[list(joints)] = 1
        self.register_buffer("membership", membership, persistent=False)

    def forward(self, feature: Tensor, tokens: Tensor, points: Tensor, scores: Tensor) -> Tensor:
        """Return (B, C).

        Args:
            feature: (B, C).
            tokens: (B, h, w, C).
            points: (B, 17, 2), (x, y) in [0, 1] of the image.
            scores: (B, 17).
        """
        return feature + self.project(self.parts(tokens, points, scores).flatten(1))

    def parts(self, tokens: Tensor, points: Tensor, scores: Tensor) -> Tensor:
        """Return what is pooled around each part's joints, (B, 4, C)."""
        height, width = tokens.shape[1:3]
        at = pixels_of(points, (height, width))
        weights = torch.einsum("pl,blhw->bphw", self.membership, joint_maps(at, scores, (height, width), SIGMA))
        total = weights.sum((2, 3), keepdim=True)
        weights = torch.where(total > 1e-6, weights / total.clamp(min=1e-6), 0.0)
        return torch.einsum("bphw,bhwc->bpc", weights.to(tokens.dtype), tokens)
