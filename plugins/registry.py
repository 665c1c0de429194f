"""The table of plugins: name -> host, builder, one-line summary. Other packages add theirs through an entry point."""

from __future__ import annotations

from importlib.metadata import entry_points
from typing import NamedTuple

from .errors import KpstraError

GROUP = "kpstra.plugins"


class Plugin(NamedTuple):
    """One plugin module.

    Another package registers an object of this type under the entry point group ``kpstra.plugins``.
    """

    name: str
    host: str  # the framework it goes into
    builder: str  # "package.module:attribute"
    summary: str


BUILT_IN = (
    Plugin(
        "kprpe",
        "OpenGait, timm, torchvision",
        "plugins.kprpe:inject_kprpe",
        "KP-RPE in place of the position bias of a built network",
    ),
    Plugin(
        "kprpe_global",
        "any ViT",
        "plugins.kprpe:KeypointRPE",
        "keypoint-dependent attention biases for a grid of patches",
    ),
    Plugin(
        "kprpe_windowed",
        "any Swin",
        "plugins.kprpe:WindowedKeypointRPE",
        "keypoint-dependent attention biases for shifted windows, also over time",
    ),
    Plugin(
        "stra",
        "torchreid",
        "plugins.stra:StRAttention",
        "structure-regularized attention: local attention, then mode attention",
    ),
    Plugin(
        "stra_bottleneck",
        "torchreid's ResNet50",
        "plugins.stra:StRABottleneck",
        "ResNet bottleneck with StRA for its 3x3 convolution",
    ),
    Plugin(
        "stra_inverted_residual",
        "torchreid's MobileNetV2",
        "plugins.stra:StRAInvertedResidual",
        "MobileNetV2 block with StRA for its depthwise convolution",
    ),
)


def plugins() -> dict[str, Plugin]:
    """Return all plugins by name, ours first.

    Raises:
        KpstraError: an entry point that cannot be loaded, is no :class:`Plugin`, or has a name that is taken.
    """
    table = {plugin.name: plugin for plugin in BUILT_IN}
    for entry in entry_points(group=GROUP):
        try:
            plugin = entry.load()
        except Exception as error:  # another package's code
            reason = f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
            raise KpstraError(f"entry point {entry.name} = {entry.value}: cannot be loaded ({reason})") from error
        if not isinstance(plugin, Plugin):
            raise KpstraError(f"entry point {entry.name} = {entry.value}: expected a plugins.registry.Plugin")
        if plugin.name in table:
            raise KpstraError(f"entry point {entry.name} = {entry.value}: the name {plugin.name!r} is taken")
        table[plugin.name] = plugin
    return table
