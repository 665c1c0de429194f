"""Joints as heat maps beside the silhouette: another way to give a network what KP-RPE is given."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn, optim

from plugins.common.settings import over_defaults
from plugins.errors import KpstraError, one_of
from plugins.joint_inputs.heatmaps import joint_maps, widen
from plugins.kprpe import normalise_keypoints
from plugins.kprpe.keypoints import checked
from plugins.kprpe.position.pose import MeanPose
from plugins.kprpe.position.table import KEYPOINTS

from ..data.prepare.poses import JOINTS
from .joints import checked_joints, share_poses
from .swingait import SwinGait2D

DEFAULTS = {"sigma": 1.5, "keypoints": "given"}


class SwinGait2DHeatmaps(SwinGait2D):
    """SwinGait-2D whose first convolution sees one Gaussian map for each joint beside the silhouette.

    ``model_cfg.heatmaps``: ``sigma`` of the Gaussians in pixels of the silhouettes; ``keypoints``: ``given``, or
    ``constant`` for the control, whose maps always show the mean pose of the first batch of training, which travels in
    the checkpoint.

    The maps' weights begin at zero under a name of their own: a network that takes over the weights of a SwinGait-2D or
    of its trunk begins as that one.
    """

    num_keypoints = JOINTS

    def build_network(self, model_cfg: Mapping) -> None:
        """Build SwinGait-2D and widen its first convolution."""
        super().build_network(model_cfg)
        self.heatmaps = heatmap_settings(model_cfg)
        widen(self.first, JOINTS)
        self.pose = MeanPose(JOINTS) if self.heatmaps["keypoints"] == "constant" else None
        self.looks_for_pose = True

    @property
    def first(self) -> nn.Conv2d:
        """The first convolution."""
        return self.layer0.forward_block[0]

    def get_optimizer(self, optimizer_cfg: Mapping) -> optim.Optimizer:
        """Return the host's optimiser with the maps' weights in a group of their own, at the transformer's rate."""
        optimizer, ours = super().get_optimizer(optimizer_cfg), self.first.maps_weight
        for group in optimizer.param_groups:
            group["params"] = [p for p in group["params"] if p is not ours]
        decay = optimizer_cfg["weight_decay"]
        optimizer.add_param_group({"params": [ours], "lr": optimizer_cfg["lr"], "weight_decay": decay})
        return optimizer

    def forward(self, inputs: tuple) -> dict[str, Any]:
        """Run SwinGait-2D with the maps of its input's joints.

        Args:
            inputs: ((silhouettes (n, s, H, W), keypoints (n, s, 17, 3)), labels, types, views, sequence lengths);
                keypoints are (x, y, score) in pixels of the silhouettes, whole numbers being pixel centres.
        """
        modalities, *others = inputs
        silhouettes, keypoints = checked_joints(modalities, JOINTS, type(self).__name__)
        points, scores = keypoints[..., :2], keypoints[..., 2]
        size = silhouettes.shape[-2:]
        with checked(normalise_keypoints(points, size).flatten(0, 1), scores.flatten(0, 1)):
            return self._under(points, scores, ([silhouettes], *others))

    def _under(self, points: Tensor, scores: Tensor, inputs: tuple) -> dict[str, Any]:
        """Run SwinGait-2D with the maps of joints (n, s, 17, 2), in pixels, and their scores (n, s, 17)."""
        if self.pose is not None:
            if self.training and self.looks_for_pose:
                self._fit_pose(points, scores)
            points, scores = self.pose.mean.expand_as(points), torch.ones_like(scores)
        self.first.maps = joint_maps(points, scores, inputs[0][0].shape[-2:], self.heatmaps["sigma"]).flatten(0, 1)
        try:
            return super().forward(inputs)
        finally:
            self.first.maps = None

    def _fit_pose(self, points: Tensor, scores: Tensor) -> None:
        """Take the mean pose of the first process's first batch, unless a checkpoint brought one."""
        self.looks_for_pose = False
        if not int(self.pose.count):
            self.pose.fit(points, scores.clamp(0, 1))
            share_poses([self.pose])


def heatmap_settings(model_cfg: Mapping) -> dict[str, Any]:
    """Return ``model_cfg.heatmaps`` over the defaults.

    Raises:
        KpstraError: unknown key or value.
    """
    where = "model_cfg.heatmaps"
    settings = over_defaults(model_cfg.get("heatmaps"), DEFAULTS, where)
    sigma = settings["sigma"]
    if isinstance(sigma, bool) or not isinstance(sigma, (int, float)) or not 0 < sigma < float("inf"):
        raise KpstraError(f"{where}.sigma: {sigma!r}: expected pixels above 0")
    one_of(settings["keypoints"], KEYPOINTS, f"{where}.keypoints")
    return settings
