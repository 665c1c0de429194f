"""Losses, gradients, weights and features that are NaN or infinite: the run ends, naming epoch, batch and images."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from plugins.common.numerics import GradientWatch, require_finite
from plugins.errors import KpstraError

AGAIN = (
    "nothing of this epoch is saved; train in another data.save_dir with a lower train.lr, from the last checkpoint's "
    "weights with model.load_weights PATH"
)


class WatchedEngine:
    """Mixed into a host's engine, in front of it.

    The host reads its losses after each step, and waits for the device there; only then is it read what the device
    found in the gradients, which costs no further wait. The step may have spoiled the weights in memory by then: the
    run ends, and no checkpoint is written of them.
    """

    _watches: tuple[GradientWatch, ...] = ()
    _tested: Sequence[str] = ()  # names of the images whose features come next

    def register_model(self, name: str = "model", model=None, optim=None, sched=None) -> None:
        """Register a model as the host does, and watch its gradients."""
        super().register_model(name, model, optim, sched)
        if optim is not None:
            self._watches = (*self._watches, GradientWatch(optim))

    def forward_backward(self, data: Mapping) -> dict[str, float]:
        """Train on one batch as the host does; see :meth:`watched`."""
        return self.watched(data, super().forward_backward(data))

    def watched(self, data: Mapping, summary: dict[str, float]) -> dict[str, float]:
        """Return a batch's losses.

        Raises:
            KpstraError: one of them, or the gradients of the step, is not finite.
        """
        wrong = [f"{name} is {value}" for name, value in summary.items() if not math.isfinite(value)]
        gradients = [watch.finite() for watch in self._watches]
        if not all(gradients):
            wrong = wrong or ["the gradients are not finite"]
        if wrong:
            at = f"epoch {self.epoch + 1}, batch {getattr(self, 'batch_idx', 0) + 1}"
            raise KpstraError(f"training: {', '.join(wrong)} at {at}; {AGAIN}. Its images: {', '.join(_names(data))}")
        return summary

    def require_finite_weights(self) -> None:
        """Refuse to go on with spoiled weights.

        Raises:
            KpstraError: names the first that are not finite.
        """
        for name in self.get_model_names():
            weights = self._models[name].state_dict().items()
            require_finite(weights, f"epoch {self.epoch + 1}: no checkpoint is written: {name}")

    def parse_data_for_eval(self, data: Mapping) -> tuple:
        """Return what the host does, keeping the images' names."""
        self._tested = _names(data)
        return super().parse_data_for_eval(data)

    def extract_features(self, input: Tensor) -> Tensor:
        """Return the host's features (B, d).

        Raises:
            KpstraError: some are not finite, which the host would rank all the same.
        """
        features = super().extract_features(input)
        finite = torch.isfinite(features).flatten(1).all(1).tolist()  # the host copies them to the CPU next
        if not all(finite):
            wrong = [name for name, fine in zip(self._tested, finite, strict=False) if not fine]
            raise KpstraError(f"test: features are not finite, check model.load_weights; images: {', '.join(wrong)}")
        return features


def _names(data: Mapping) -> list[str]:
    """The files of a batch of images; of a batch of videos, whose files the host does not tell, people and cameras."""
    if "impath" in data:
        return list(data["impath"])
    return [f"person {int(pid)} camera {int(camid)}" for pid, camid in zip(data["pid"], data["camid"], strict=True)]
