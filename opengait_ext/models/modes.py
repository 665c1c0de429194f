"""SwinGait-2D whose keypoints are parts that it finds itself: StRA's modes on the map of its convolutions."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from modeling.models.swingait import SwinTransformer3D
from torch import Tensor, optim

from plugins.common.settings import over_defaults
from plugins.errors import KpstraError
from plugins.kprpe import KPRPEConfig, KPRPEHandle, inject_kprpe
from plugins.modes import ModeFinder, PartCentres, modes_config

from .joints import share_poses
from .keypoint_bias import group_tables
from .swingait import SwinGait2D
from .tokens import TOKENS

DEFAULTS: dict[str, Any] = {"groups": 8, "weight_d": 1.0, "kprpe": {}}


class SwinGait2DModes(SwinGait2D):
    """SwinGait-2D with KP-RPE whose keypoints are the centres of modes, found in every frame without labels.

    ``model_cfg.modes``: ``groups``, the number of modes; ``weight_d`` of the diversity loss, which is added to the
    host's losses as ``diversity``; ``kprpe``, further fields of :class:`plugins.kprpe.KPRPEConfig`. With
    ``kprpe: {keypoints: constant}`` it is the control: as many parameters, and modes that learn from the diversity loss
    alone, while the attention sees the mean centres of the first batch of training.

    Input and output are those of :class:`SwinGait2D`; keypoints beside the silhouettes are not looked at.
    """

    def build_network(self, model_cfg: Mapping) -> None:
        """Build SwinGait-2D and give its transformer modes; KP-RPE starts at zero."""
        super().build_network(model_cfg)
        settings = modes_settings(model_cfg)
        self.weight_d = settings["weight_d"]
        try:
            add_modes(self.transformer, model_cfg["Backbone"]["channels"][1], settings["groups"], settings["kprpe"])
        except KpstraError as error:
            raise KpstraError(f"model_cfg.modes: {error}") from error

    def get_optimizer(self, optimizer_cfg: Mapping) -> optim.Optimizer:
        """Return the host's optimiser; KP-RPE is a group of its own, the modes are trained as the transformer is."""
        return group_tables(super().get_optimizer(optimizer_cfg), KPRPEHandle(self.transformer), optimizer_cfg["lr"])

    def forward(self, inputs: tuple) -> dict[str, Any]:
        """Run SwinGait-2D, and add the diversity loss of its modes."""
        output = super().forward(inputs)
        parts, self.transformer.found = self.transformer.found, None
        diversity = self.transformer.modes.diversity(parts).mean()
        output["training_feat"]["diversity"] = self.weight_d * diversity
        output["visual_summary"]["scalar/modes/confidence"] = parts.confidence.detach().mean()
        return output


class ModalTransformer(SwinTransformer3D):
    """The host's transformer under the modes of its input; ``found`` holds those of the last forward."""

    modes: ModeFinder
    found: PartCentres | None

    def forward(self, x: Tensor) -> Tensor:
        """x: (n, C, s, H, W)."""
        self.found = parts = self.modes(x.transpose(1, 2).flatten(0, 1))
        points, confidence = (part.unflatten(0, (x.shape[0], x.shape[2])) for part in parts[:2])  # n, s, G, ...
        handle = KPRPEHandle(self)
        if self.training and self.looks_for_pose:
            self._fit_pose(handle, points, confidence)
        with handle.set_keypoints(points, confidence, learned=True):
            return super().forward(x)

    def _fit_pose(self, handle: KPRPEHandle, points: Tensor, confidence: Tensor) -> None:
        """Give the control the mean centres of the first process's first batch, unless a checkpoint brought them."""
        self.looks_for_pose = False
        poses = [at.kprpe.pose for at in handle.attentions.values() if at.kprpe.pose is not None]
        if poses and not int(poses[0].count):
            handle.fit_pose(points.detach(), confidence.detach())
            share_poses(poses)


def add_modes(transformer: SwinTransformer3D, channels: int, groups: int, kprpe: KPRPEConfig | Mapping) -> None:
    """Make the host's transformer a :class:`ModalTransformer`, in place.

    Args:
        transformer: plain.
        channels: of its input.
        groups: modes to find.
        kprpe: settings beside ``num_keypoints``.

    Raises:
        KpstraError: channels that the modes do not divide, or settings that modes do not take.
    """
    finder = ModeFinder(channels, groups)
    inject_kprpe(transformer, modes_config(groups, {"feature_size": TOKENS, **kprpe}))
    transformer.__class__ = ModalTransformer
    transformer.modes, transformer.found, transformer.looks_for_pose = finder, None, True


def modes_settings(model_cfg: Mapping) -> dict[str, Any]:
    """Return ``model_cfg.modes`` over the defaults.

    Raises:
        KpstraError: unknown key or value.
    """
    where = "model_cfg.modes"
    settings = over_defaults(model_cfg.get("modes"), DEFAULTS, where)
    weight, kprpe = settings["weight_d"], settings["kprpe"]
    if isinstance(weight, bool) or not isinstance(weight, (int, float)) or not 0 <= weight < math.inf:
        raise KpstraError(f"{where}.weight_d: {weight!r}: expected a number from 0")
    if not isinstance(kprpe, Mapping):
        raise KpstraError(f"{where}.kprpe: {kprpe!r}: expected keys and values")
    return settings
