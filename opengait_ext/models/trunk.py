"""The convolutions of SwinGait-2D alone: what a warm start needs, and what says how much the transformer adds."""

from __future__ import annotations

from collections.abc import Mapping

from modeling.modules import SeparateFCs
from torch import nn

from .swingait import SwinGait2D


class SwinGait2DTrunk(SwinGait2D):
    """Layers 0 to 2 of :class:`SwinGait2D` under heads of their own, without transformer and enlargement.

    A SwinGait-2D of the same ``Backbone`` takes them over from its checkpoint by name; its ``transformer`` section
    may stand here and says nothing. The last map of
    silhouettes of 64 x 44 is 32 x 22: ``bin_num: [16]`` cuts it into 16 strips; as in the host ``parts_num`` is one
    more.

    Input: as :class:`SwinGait2D`. Output: embeddings (n, ``SeparateBNNecks.in_channels``, strips).
    """

    def build_network(self, model_cfg: Mapping) -> None:
        """Build SwinGait-2D, then take out what stands between its convolutions and its heads."""
        super().build_network(model_cfg)
        necks = model_cfg["SeparateBNNecks"]
        self.ulayer, self.transformer = nn.Identity(), nn.Identity()
        self.FCs = SeparateFCs(necks["parts_num"], model_cfg["Backbone"]["channels"][1], necks["in_channels"])
