"""Tensors that follow from the weights alone, remembered in evaluation."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence

import torch
from torch import Tensor, nn


class Remembering(nn.Module):
    """A module that computes what no image changes once, until the weights that it follows from are others.

    The values themselves are compared: weights change without a trace (``p.data``, as averages of weights do), are
    computed (parametrizations), or are another tensor at every call (replicas, ``torch.func.functional_call``).
    """

    def __init__(self) -> None:
        super().__init__()
        self._cache: dict[Hashable, tuple[list[Tensor], Tensor]] = {}

    def cached(self, key: Hashable, weights: Sequence[Tensor], build: Callable[[], Tensor]) -> Tensor:
        """Return ``build()``, remembered while no gradient is wanted and ``weights`` have the same values.

        Remembered on a CPU alone: elsewhere to compare values is to wait for the device.
        """
        if torch.is_grad_enabled() or torch.compiler.is_compiling() or not all(map(_readable, weights)):
            return build()
        known = self._cache.get(key)
        if known is None or not all(map(_same, known[0], weights)):
            known = self._cache[key] = ([weight.clone() for weight in weights], build())
        return known[1]

    def train(self, mode: bool = True) -> Remembering:
        if mode:
            self._cache.clear()
        return super().train(mode)

    def __getstate__(self) -> dict:
        return {**self.__dict__, "_cache": {}}  # copies and pickles start without remembered tensors


def _readable(weight: Tensor) -> bool:
    """Whether values can be compared at once: those of torch.func's transforms and of fake tensors cannot."""
    plain = type(weight) in (Tensor, nn.Parameter) and not torch._C._functorch.is_functorch_wrapped_tensor(weight)
    return plain and weight.device.type == "cpu"


def _same(a: Tensor, b: Tensor) -> bool:
    return a.dtype == b.dtype and torch.equal(a, b)
