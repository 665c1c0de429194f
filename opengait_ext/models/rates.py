"""Learning rates of a SwinGait: what its parts get of ``optimizer_cfg.lr``, and how often the rates fall."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from modeling.models.swingait import adjust_learning_rate
from torch import optim

from ..settings.rates import PARTS


class Rates:
    """Part of :class:`opengait_ext.models.swingait.SizedSwinGait`: two settings that the host does not have.

    ``optimizer_cfg.lr_factors`` (``heads``, ``trunk``): the rate of a part is ``lr`` times its factor; a part that is
    not named has the host's, ``0.1 lr``. ``trainer_cfg.iteration_per_epoch``: at every such iteration t the rates
    become ``lr(t) = lr(0) (1 + cos(pi t / T_max_iter)) / 2``; the host's is 1000.

    Example:
        >>> settings["optimizer_cfg"].update(lr=0.003, lr_factors={"heads": 3, "trunk": 0.3})
        >>> settings["trainer_cfg"].update(T_max_iter=300, iteration_per_epoch=1)  # falls in every iteration
    """

    def get_optimizer(self, optimizer_cfg: Mapping[str, Any]) -> optim.Optimizer:
        """Return the host's optimiser with the parts' own rates."""
        settings = dict(optimizer_cfg)
        factors = settings.pop("lr_factors", None) or {}
        optimizer = super().get_optimizer(settings)
        for part, factor in factors.items():
            ours = {id(p) for name in PARTS[part] for p in getattr(self, name).parameters()}
            for group in optimizer.param_groups:
                if any(id(p) in ours for p in group["params"]):
                    group["lr"] = factor * settings["lr"]
        return optimizer

    def forward(self, inputs: tuple) -> dict[str, Any]:
        """Run the network; in training, with this iteration's rates for the step that follows."""
        output, every = super().forward(inputs), self.cfgs["trainer_cfg"].get("iteration_per_epoch")
        if self.training and every is not None:
            adjust_learning_rate(self.optimizer, self.iteration, every, self.T_max_iter)
        return output
