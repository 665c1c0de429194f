"""What ``model_cfg`` may say for the models that this package adds, and for those of the host that they build on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from plugins.common.settings import known_keys
from plugins.errors import KpstraError

BACKBONE = ("in_channels", "layers", "channels")
NECKS = ("parts_num", "in_channels", "class_num")
SWINGAIT = ("model", "Backbone", "SeparateBNNecks", "bin_num")
SECTIONS = {  # of each model: those that it needs, and others that it knows
    "DeepGaitV2": (("model", "Backbone", "SeparateBNNecks"), ("use_emb2",)),
    "DeepGaitV2KPRPE": (("model", "Backbone", "SeparateBNNecks"), ("use_emb2", "attention", "kprpe")),
    "DeepGaitV2StRA": (("model", "Backbone", "SeparateBNNecks"), ("use_emb2", "stra")),
    "SwinGait": (SWINGAIT, ()),
    "SwinGait2D": (SWINGAIT, ("transformer",)),
    "SwinGait2DHeatmaps": (SWINGAIT, ("transformer", "heatmaps")),
    "SwinGait2DKPRPE": (SWINGAIT, ("transformer", "kprpe")),
    "SwinGait2DModes": (SWINGAIT, ("transformer", "modes")),
    "SwinGait2DTrunk": (SWINGAIT, ("transformer",)),  # a SwinGait-2D's, left out with its transformer
    "SwinGait3D": (SWINGAIT, ("transformer",)),
    "SwinGait3DKPRPE": (SWINGAIT, ("transformer", "kprpe")),
}
LISTS = {"layers": 4, "channels": 2}  # least lengths


def check_model(model: Mapping[str, Any], source: str) -> None:
    """Refuse keys that the model does not know, list those that it misses, and check what they hold.

    Args:
        model: ``model_cfg``; other models than those of :data:`SECTIONS` are left to the host.
        source: the file or option they come from, for the message.

    Raises:
        KpstraError: names source, key and value.
    """
    where, name = f"{source}: model_cfg", model.get("model")
    if not isinstance(name, str) or name not in SECTIONS:
        return
    required, others = SECTIONS[name]
    known_keys(model, others, where, required)
    deep = name.startswith("DeepGaitV2")
    known_keys(model["Backbone"], ("mode",), f"{where}.Backbone", (*BACKBONE, "mode") if deep else BACKBONE)
    necks = ("class_num",) if deep else NECKS
    further = () if deep and name != "DeepGaitV2" else (*NECKS, "norm", "parallel_BN1d")  # the host's passes over them
    known_keys(model["SeparateBNNecks"], further, f"{where}.SeparateBNNecks", necks)
    mode = model["Backbone"].get("mode", "p3d")
    if name.startswith("SwinGait3D") and mode != "p3d":
        raise KpstraError(f"{where}.Backbone.mode: {mode!r}: {name} has 'p3d' blocks; SwinGait2D's are '2d'")
    for section in ("Backbone", "SeparateBNNecks"):
        for key, value in model[section].items():
            if key in LISTS:
                if not isinstance(value, list) or len(value) < LISTS[key] or not all(map(_counts, value)):
                    raise KpstraError(
                        f"{where}.{section}.{key}: {value!r}: expected {LISTS[key]} or more whole numbers from 1"
                    )
            elif key in (*BACKBONE, *NECKS) and not _counts(value):
                raise KpstraError(f"{where}.{section}.{key}: {value!r}: expected a whole number of at least 1")


def _counts(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1
