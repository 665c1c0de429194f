"""DeepGaitV2 with KP-RPE: one attention block over its last map, steered by keypoints."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from modeling.models.deepgaitv2 import DeepGaitV2

from plugins.common.settings import over_defaults
from plugins.errors import KpstraError

from .frame_attention import AttendThenPool, FrameBlock
from .keypoint_bias import KeypointBias
from .part_rates import PartRates

DEFAULTS: dict[str, Any] = {"num_heads": 8}


class AttendedDeepGaitV2(PartRates, DeepGaitV2):
    """DeepGaitV2 with a :class:`FrameBlock` in front of its pooling over time, and rates for its own parts."""

    def build_network(self, model_cfg: Mapping) -> None:
        """Build DeepGaitV2, then the block.

        Raises:
            KpstraError: an unknown key of ``model_cfg.attention``, or heads that do not divide the channels.
        """
        super().build_network(model_cfg)
        heads, channels = attention_settings(model_cfg)["num_heads"], model_cfg["Backbone"]["channels"][3]
        try:
            self.TP = AttendThenPool(FrameBlock(channels, heads), self.TP)
        except KpstraError as error:
            raise KpstraError(f"model_cfg.attention.num_heads: {error}") from error

    def init_parameters(self) -> None:
        """Initialise as the host does, and the block so that it changes nothing."""
        super().init_parameters()
        self.TP.block.start_at_zero()


class DeepGaitV2KPRPE(KeypointBias, AttendedDeepGaitV2):
    """DeepGaitV2 whose last map attends to itself, frame by frame, under KP-RPE, before the maximum over time.

        y = x + W_o softmax(q k^T / sqrt(d) + B(P)) v,    q, k, v = W layernorm(x),    B_ij = f(P)_i[d(i, j)]

    W_o starts at zero: a new network is DeepGaitV2, whose weights fit by name. Blocks of all modes (2d, p3d, 3d) keep
    frames apart up to here, so each frame's map, 16 x 11 for silhouettes of 64 x 44, follows its own joints. Attention
    is over the whole map: M is then a query's place in the image, and no window cuts the body.

    ``model_cfg.attention``: ``num_heads``, which divide the last of ``Backbone.channels``. ``model_cfg.kprpe``: as in
    :class:`KeypointBias`, without windows; silhouettes of 128 x 88 need ``feature_size: [32, 22]``.
    ``optimizer_cfg.lr_factors`` (``heads``, ``trunk``): the rates of DeepGaitV2's own parts as multiples of ``lr``.

    Input: silhouettes (n, s, H, W) in [0, 1] and keypoints (n, s, L, 3). Output: DeepGaitV2's, embeddings (n, c, 16).

    Example:
        >>> settings["model_cfg"] = {
        ...     "model": "DeepGaitV2KPRPE",
        ...     "Backbone": {"mode": "2d", "in_channels": 1, "layers": [1, 4, 4, 1], "channels": [64, 128, 256, 512]},
        ...     "SeparateBNNecks": {"class_num": 3000},
        ...     "kprpe": {"formulation": "second_order", "standardised": True},
        ... }
    """

    steered, tokens = "TP", (16, 11)


def attention_settings(model_cfg: Mapping) -> dict[str, Any]:
    """Return ``model_cfg.attention`` over the defaults.

    Raises:
        KpstraError: unknown key or value.
    """
    where = "model_cfg.attention"
    settings = over_defaults(model_cfg.get("attention"), DEFAULTS, where)
    heads = settings["num_heads"]
    if type(heads) is not int or heads < 1:
        raise KpstraError(f"{where}.num_heads: {heads!r}: expected a whole number of at least 1")
    return settings
