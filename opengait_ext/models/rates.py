"""Learning rates of a SwinGait: what its parts get of ``optimizer_cfg.lr``, and how often the rates fall."""

from __future__ import annotations

from typing import Any

from modeling.models.swingait import adjust_learning_rate

from .part_rates import PartRates


class Rates(PartRates):
    """Part of :class:`opengait_ext.models.swingait.SizedSwinGait`: besides, rates that fall in every iteration.

    ``trainer_cfg.iteration_per_epoch``: at every such iteration t the rates become
    ``lr(t) = lr(0) (1 + cos(pi t / T_max_iter)) / 2``; the host's is 1000.

    Example:
        >>> settings["trainer_cfg"].update(T_max_iter=300, iteration_per_epoch=1)  # falls in every iteration
    """

    def forward(self, inputs: tuple) -> dict[str, Any]:
        """Run the network; in training, with this iteration's rates for the step that follows."""
        output, every = super().forward(inputs), self.cfgs["trainer_cfg"].get("iteration_per_epoch")
        if self.training and every is not None:
            adjust_learning_rate(self.optimizer, self.iteration, every, self.T_max_iter)
        return output
