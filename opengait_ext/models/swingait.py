"""OpenGait's SwinGait in other sizes, and SwinGait-2D, the KP-RPE paper's baseline, inside single frames."""

from __future__ import annotations

from collections.abc import Mapping

from modeling.models.swingait import SwinGait, SwinTransformer3D
from modeling.modules import BasicBlock2D, SeparateFCs, SetBlockWrapper
from torch import nn

from plugins.errors import KpstraError, nearest

from .blocks import FusedBlock, RecomputedBlock, use_fused
from .rates import Rates

WIDTH, HEADS, DROP_PATH = 256, (16, 32), 0.1  # hard-coded in the host
TRANSFORMER_KEYS = ("embed_dim", "num_heads", "window", "drop_path", "checkpoint")


class SizedSwinGait(Rates, SwinGait):
    """SwinGait whose transformer takes its sizes from ``model_cfg.transformer``; the defaults are the host's.

    ``embed_dim``: channels of the first stage, the second has twice as many. ``num_heads``: of both stages.
    ``window``: (frames, rows, columns). ``checkpoint``: recompute each block's activations in the backward pass.
    """

    window = (3, 3, 5)

    def build_network(self, model_cfg: Mapping) -> None:
        """Build the host's network, then the parts that differ from it."""
        super().build_network(model_cfg)
        settings = transformer_settings(model_cfg, self.window)
        in_channels, layers = model_cfg["Backbone"]["channels"][1], model_cfg["Backbone"]["layers"]
        width = 2 * settings["embed_dim"]
        self.transformer = SwinTransformer3D(
            patch_size=[1, 2, 2],
            in_chans=in_channels,
            embed_dim=settings["embed_dim"],
            depths=list(layers[2:4]),
            num_heads=list(settings["num_heads"]),
            window_size=list(settings["window"]),
            downsample=[1, 0],
            drop_path_rate=settings["drop_path"],
            patch_norm=True,
        )
        if width != self.transformer.num_features:
            self.transformer.num_features, self.transformer.norm = width, nn.LayerNorm(width)
        necks = model_cfg["SeparateBNNecks"]
        self.FCs = SeparateFCs(necks["parts_num"], in_channels=width, out_channels=necks["in_channels"])
        use_fused(self.transformer, RecomputedBlock if settings["checkpoint"] else FusedBlock)


class SwinGait3D(SizedSwinGait):
    """OpenGait's SwinGait, windows over three frames, in the sizes of ``model_cfg.transformer``."""


class SwinGait2D(SizedSwinGait):
    """SwinGait-2D: residual blocks per frame (DeepGaitV2-2D's weights fit) and windows of one frame.

    Input: (silhouettes (n, s, 64, 44) in [0, 1],), labels, types, views, sequence lengths. Output: the host's
    dictionary, with embeddings (n, 256, 15).
    """

    window = (1, 3, 5)

    def build_network(self, model_cfg: Mapping) -> None:
        """Build SwinGait, then put 2-D residual blocks for its P3D ones."""
        super().build_network(model_cfg)
        backbone = model_cfg["Backbone"]
        if backbone.get("mode", "2d") != "2d":
            raise KpstraError(f"model_cfg.Backbone.mode: {backbone['mode']!r}: {type(self).__name__} has '2d' blocks")
        self.inplanes = backbone["channels"][0]
        blocks = self.make_layer(BasicBlock2D, backbone["channels"][1], [2, 2], backbone["layers"][1], mode="2d")
        self.layer2 = SetBlockWrapper(blocks)


def transformer_settings(model_cfg: Mapping, window: tuple[int, int, int]) -> dict:
    """Return ``model_cfg.transformer`` over the host's fixed sizes.

    Raises:
        KpstraError: unknown key, or sizes that do not go together.
    """
    given = dict(model_cfg.get("transformer") or {})
    for key in given:
        if key not in TRANSFORMER_KEYS:
            raise KpstraError(f"model_cfg.transformer.{key}: unknown key{nearest(key, TRANSFORMER_KEYS)}")
    defaults = {"embed_dim": WIDTH, "num_heads": HEADS, "window": window, "drop_path": DROP_PATH, "checkpoint": False}
    settings = {**defaults, **given}
    heads, size = settings["num_heads"], settings["window"]
    if len(heads) != 2 or any(settings["embed_dim"] * 2**i % h for i, h in enumerate(heads)):
        raise KpstraError(
            f"model_cfg.transformer.num_heads: {list(heads)}: expected two numbers that divide embed_dim "
            f"{settings['embed_dim']} and {2 * settings['embed_dim']}"
        )
    if len(size) != 3 or min(size) < 1:
        raise KpstraError(f"model_cfg.transformer.window: {list(size)}: expected [frames, rows, columns]")
    return settings
