"""The learning rates that the models of this package take beside the host's: for whom, and how large."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from plugins.common.settings import known_keys
from plugins.errors import KpstraError

from ..models import MODELS

SWINGAITS = [name for name in MODELS if name.startswith("SwinGait")]
KNOWN_TO = {  # the models that know a setting
    "optimizer_cfg.lr_factors": ["DeepGaitV2KPRPE", *SWINGAITS],
    "trainer_cfg.iteration_per_epoch": SWINGAITS,
}
PARTS = {  # what optimizer_cfg.lr_factors may name, and its modules; what attends has the rate itself
    "heads": ("FCs", "BNNecks"),
    "trunk": ("layer0", "layer1", "layer2", "layer3", "layer4"),
}


def check_rates(settings: Mapping[str, Any], source: str) -> None:
    """Refuse ``optimizer_cfg.lr_factors`` and ``trainer_cfg.iteration_per_epoch`` where they would have no effect.

    Args:
        settings: merged.
        source: the file or option they come from, for the message.

    Raises:
        KpstraError: a model that does not know them, an unknown part, or a factor that is no number above 0.
    """
    model, factors = settings["model_cfg"].get("model"), settings["optimizer_cfg"].get("lr_factors")
    every = settings["trainer_cfg"].get("iteration_per_epoch")
    for (key, models), value in zip(KNOWN_TO.items(), (factors, every), strict=True):
        if value is not None and model not in models:
            raise KpstraError(f"{source}: {key}: has no effect on {model}; {', '.join(models)} know it")
    if factors is None:
        return
    where = f"{source}: optimizer_cfg.lr_factors"
    known_keys(factors, PARTS, where)
    for part, factor in factors.items():
        if isinstance(factor, bool) or not isinstance(factor, (int, float)) or factor <= 0:
            raise KpstraError(
                f"{where}.{part}: {factor!r}: expected a number above 0, times which optimizer_cfg.lr it is"
            )
