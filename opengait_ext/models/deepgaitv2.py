"""DeepGaitV2 with StRA in its last stage: structure-regularized attention for the second convolution of each block."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from modeling.models.deepgaitv2 import DeepGaitV2
from torch import Tensor

from plugins.common.settings import over_defaults
from plugins.errors import KpstraError
from plugins.stra import StRAttention

DEFAULTS: dict[str, Any] = {"groups": 8, "weight_d": 1.0}


class DeepGaitV2StRA(DeepGaitV2):
    """DeepGaitV2 of 2-D blocks whose last stage attends: in each block StRA takes the place of the second 3x3.

    ``model_cfg.stra``: ``groups`` G, the number of modes, which divides the stage's channels; ``weight_d`` of the
    diversity loss, ``G - sum_p max_g M_gp`` of each frame, summed over the blocks, which is added to the host's losses
    as ``diversity``. The other layers have the names and sizes of :class:`DeepGaitV2`, so its weights fit.

    Input and output are DeepGaitV2's, embeddings (n, c, 16); keypoints beside the silhouettes are not looked at.
    """

    def build_network(self, model_cfg: Mapping) -> None:
        """Build DeepGaitV2, then put StRA into its last stage.

        Raises:
            KpstraError: other blocks than 2-D ones, or settings that StRA does not take.
        """
        super().build_network(model_cfg)
        settings, mode = stra_settings(model_cfg), model_cfg["Backbone"]["mode"]
        if mode != "2d":
            raise KpstraError(f"model_cfg.Backbone.mode: {mode!r}: {type(self).__name__} has '2d' blocks")
        self.weight_d = settings["weight_d"]
        try:
            for block in self.layer4.forward_block:
                block.conv2 = KeptDiversity(model_cfg["Backbone"]["channels"][3], groups=settings["groups"])
        except KpstraError as error:
            raise KpstraError(f"model_cfg.stra.groups: {error}") from error

    def forward(self, inputs: tuple) -> dict[str, Any]:
        """Run DeepGaitV2, and add the diversity loss of its last stage."""
        output, diversity = super().forward(inputs), 0.0
        for block in self.layer4.forward_block:
            diversity, block.conv2.diversity = diversity + block.conv2.diversity.mean(), None
        output["training_feat"]["diversity"] = self.weight_d * diversity
        return output


class KeptDiversity(StRAttention):
    """StRA that returns its map alone, as a convolution does; ``diversity`` holds the loss (B,) of the last forward."""

    diversity: Tensor | None = None

    def forward(self, x: Tensor) -> Tensor:
        """x: (B, C, H, W)."""
        y, self.diversity = super().forward(x)
        return y


def stra_settings(model_cfg: Mapping) -> dict[str, Any]:
    """Return ``model_cfg.stra`` over the defaults.

    Raises:
        KpstraError: unknown key or value.
    """
    where = "model_cfg.stra"
    settings = over_defaults(model_cfg.get("stra"), DEFAULTS, where)
    groups, weight = settings["groups"], settings["weight_d"]
    if type(groups) is not int or groups < 1:
        raise KpstraError(f"{where}.groups: {groups!r}: expected a whole number of at least 1")
    if type(weight) not in (int, float) or not 0 <= weight < math.inf:
        raise KpstraError(f"{where}.weight_d: {weight!r}: expected a number from 0")
    return settings
