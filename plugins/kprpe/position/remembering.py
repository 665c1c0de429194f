"""Tensors that follow from the weights alone, remembered in evaluation."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Hashable

import torch
from torch import Tensor, nn


class Remembering(nn.Module):
    """A module that computes what no image changes once, until one of its own parameters changes."""

    def __init__(self) -> None:
        super().__init__()
        self._cache: dict[Hashable, tuple[tuple, Tensor]] = {}

    def cached(self, key: Hashable, build: Callable[[], Tensor]) -> Tensor:
        """Return ``build()``, remembered while no gradient is wanted and the weights stay what they were."""
        weights = list(self.parameters(recurse=False))
        if torch.is_grad_enabled() or torch.compiler.is_compiling() or any(w.is_inference() for w in weights):
            return build()
        state = tuple((weakref.ref(p), p._version, p.data_ptr(), p.device, p.dtype) for p in weights)
        known = self._cache.get(key)
        if known is None or known[0] != state:
            known = self._cache[key] = (state, build())
        return known[1]

    def train(self, mode: bool = True) -> Remembering:
        if mode:
            self._cache.clear()
        return super().train(mode)

    def __getstate__(self) -> dict:
        return {**self.__dict__, "_cache": {}}  # copies and pickles start without remembered tensors
