"""Keypoint relative position encoding (KP-RPE, CVPR 2024) in a gait network, by injection."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor, optim

from plugins.errors import KpstraError
from plugins.kprpe import KPRPEHandle, inject_kprpe, normalise_keypoints

from ..pictures.tensorboard import bias_picture, keypoint_picture, mean_image_share
from .joints import checked_joints, share_poses
from .tokens import TOKENS


class KeypointBias:
    """Gives a network keypoints: the second modality of its input steers the biases of its attention.

    A class names the part of it that attends, ``steered``, and the rows and columns of its map, ``tokens``.

    ``model_cfg.kprpe`` holds the fields of :class:`plugins.kprpe.KPRPEConfig` (formulation, rotary, standardised, grid,
    mode, ...) and ``confidence``: whether a joint's score weights its part of f(P).

    The mean pose and its spread, where the settings need them, are those of the first batch of training (thousands of
    frames), and travel in the checkpoint.
    """

    steered, tokens = "transformer", TOKENS

    def build_network(self, model_cfg: Mapping) -> None:
        """Build the network and inject KP-RPE, zero at first, so that it starts as one without position bias."""
        super().build_network(model_cfg)
        settings = {"num_keypoints": 17, **(model_cfg.get("kprpe") or {})}
        self.uses_confidence, self.num_keypoints = settings.pop("confidence", False), settings["num_keypoints"]
        if not isinstance(self.uses_confidence, bool):
            raise KpstraError(f"model_cfg.kprpe.confidence: {self.uses_confidence!r}: expected true or false")
        try:
            inject_kprpe(getattr(self, self.steered), {"feature_size": self.tokens, **settings})
        except KpstraError as error:
            raise KpstraError(f"model_cfg.{error}") from error
        self.looks_for_pose = True

    @property
    def kprpe(self) -> KPRPEHandle:
        """The injected attentions."""
        return KPRPEHandle(getattr(self, self.steered))

    def get_optimizer(self, optimizer_cfg: Mapping) -> optim.Optimizer:
        """Return the host's optimiser with KP-RPE in a group of its own: the rate itself, no weight decay."""
        return group_tables(super().get_optimizer(optimizer_cfg), self.kprpe, optimizer_cfg["lr"])

    def forward(self, inputs: tuple) -> dict[str, Any]:
        """Run the network under the keypoints of its input.

        Args:
            inputs: ((silhouettes (n, s, H, W), keypoints (n, s, L, 3)), labels, types, views, sequence lengths);
                keypoints are (x, y, score) in pixels of the silhouettes, whole numbers being pixel centres.
        """
        modalities, *others = inputs
        silhouettes, keypoints = checked_joints(modalities, self.num_keypoints, type(self).__name__)
        points = normalise_keypoints(keypoints, silhouettes.shape[-2:])
        confidence = keypoints[..., 2].clamp(0, 1) if self.uses_confidence else None
        if self.training and self.looks_for_pose:
            self._fit_pose(points, keypoints[..., 2].clamp(0, 1))
        with self.kprpe.set_keypoints(points, confidence):
            output = super().forward(([silhouettes], *others))
        if self.training and (self.iteration + 1) % self.engine_cfg["log_iter"] == 0:
            output["visual_summary"]["image/keypoints"] = keypoint_picture(silhouettes[0], keypoints[0])
            if any(at.kprpe.formulation != "none" for at in self.kprpe.attentions.values()):
                output["visual_summary"]["image/bias"] = bias_picture(
                    self.kprpe, points[0], None if confidence is None else confidence[0]
                )
                output["visual_summary"]["scalar/kprpe/image_share"] = mean_image_share(self.kprpe, points, confidence)
        return output

    def _fit_pose(self, points: Tensor, scores: Tensor) -> None:
        """Take the mean pose of the first process's first batch, unless a checkpoint brought one."""
        self.looks_for_pose = False
        poses = [at.kprpe.pose for at in self.kprpe.attentions.values() if at.kprpe.pose is not None]
        if not poses or int(poses[0].count):
            return
        self.kprpe.fit_pose(points, scores)
        share_poses(poses)


def group_tables(optimizer: optim.Optimizer, handle: KPRPEHandle, rate: float) -> optim.Optimizer:
    """Move KP-RPE's parameters to a group of their own, of this learning rate and without weight decay."""
    ours = list(handle.parameters())
    for group in optimizer.param_groups:
        group["params"] = [p for p in group["params"] if not any(p is q for q in ours)]
    optimizer.add_param_group({"params": ours, "lr": rate, "weight_decay": 0.0})
    return optimizer
