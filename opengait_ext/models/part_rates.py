"""Learning rates of a model's parts: what they get of ``optimizer_cfg.lr``."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

from torch import optim

from ..settings.rates import PARTS

BY_GROUP = ("lr", "weight_decay")  # what differs between the parts of a network


class PartRates:
    """Part of a model, in front of the host's class: ``optimizer_cfg.lr_factors`` (``heads``, ``trunk``).

    The rate of a part is ``lr`` times its factor; a part that is not named has the host's rate, which is ``0.1 lr`` in
    SwinGait and ``lr`` in DeepGaitV2.

    Example:
        >>> settings["optimizer_cfg"].update(lr=0.003, lr_factors={"heads": 3, "trunk": 0.3})
    """

    def get_optimizer(self, optimizer_cfg: Mapping[str, Any]) -> optim.Optimizer:
        """Return the host's optimiser with all its arguments and the parts' own rates."""
        settings = dict(optimizer_cfg)
        factors = settings.pop("lr_factors", None) or {}
        optimizer = with_arguments(super().get_optimizer(settings), settings)
        for part, factor in factors.items():
            modules = [getattr(self, name) for name in PARTS[part] if hasattr(self, name)]
            set_rate(optimizer, {id(p) for module in modules for p in module.parameters()}, factor * settings["lr"])
        return optimizer


def with_arguments(optimizer: optim.Optimizer, settings: Mapping[str, Any]) -> optim.Optimizer:
    """Return the optimiser of the same groups with the arguments that ``optimizer_cfg`` has for it.

    OpenGait's SwinGait passes on ``lr`` and ``weight_decay`` alone, by group, so ``momentum`` and ``nesterov`` of SGD
    or ``betas`` and ``eps`` of AdamW had no effect. An optimiser that takes none of the others is returned as it is.

    Raises:
        ValueError, TypeError: arguments that the optimiser refuses.
    """
    known = inspect.signature(type(optimizer)).parameters
    more = {key: value for key, value in settings.items() if key in known and key not in BY_GROUP}
    if not more:
        return optimizer
    groups = [{key: group[key] for key in ("params", *BY_GROUP) if key in group} for group in optimizer.param_groups]
    return type(optimizer)(groups, **more)


def set_rate(optimizer: optim.Optimizer, parameters: set[int], rate: float) -> None:
    """Give these parameters, by ``id``, another learning rate; a group that holds others too is split."""
    for group in list(optimizer.param_groups):
        ours = [p for p in group["params"] if id(p) in parameters]
        if len(ours) == len(group["params"]):
            group["lr"] = rate
        elif ours:
            group["params"] = [p for p in group["params"] if id(p) not in parameters]
            optimizer.add_param_group({**group, "params": ours, "lr": rate})
