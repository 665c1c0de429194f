"""An optimiser restored from a checkpoint, checked: a damaged one would fail at a later step, or train on silently."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import optim

from ..errors import KpstraError


@contextmanager
def part_of(path: object, part: str) -> Iterator[None]:
    """Name the checkpoint and the part of it that cannot be restored.

    Raises:
        KpstraError: for any other error that leaves the block.
    """
    try:
        yield
    except KpstraError:
        raise
    except Exception as error:
        reason = " ".join(f"{type(error).__name__}: {error}".split())[:200]
        raise KpstraError(f"{path}: its {part} is damaged or of another model ({reason}); use another file") from error


def load_optimizer(optimizer: optim.Optimizer, state: Mapping[str, Any]) -> None:
    """Restore an optimiser; a setting that the state lacks stays as the optimiser has it.

    Raises:
        ValueError: settings of another type, or moments of another shape, missing, or not finite.
    """
    fresh = [{key: value for key, value in group.items() if key != "params"} for group in optimizer.param_groups]
    optimizer.load_state_dict(state)
    for group, settings in zip(optimizer.param_groups, fresh, strict=True):
        for key, value in settings.items():
            if not _alike(group.setdefault(key, value), value):
                raise ValueError(f"{key} is {group[key]!r}, expected such as {value!r}")
    keys = None
    for parameter, moments in optimizer.state.items():
        keys = moments.keys() if keys is None else keys
        if moments.keys() != keys:
            raise ValueError(f"moments {', '.join(moments)} beside {', '.join(keys)}")
        for key, value in moments.items():
            tensor = torch.as_tensor(value)
            expected = () if key == "step" else parameter.shape
            if tensor.shape != expected:
                raise ValueError(f"{key} of shape {tuple(tensor.shape)} for a parameter of {tuple(parameter.shape)}")
            if not torch.isfinite(tensor).all() or (key == "step" and tensor < 0):
                raise ValueError(f"{key} is not finite, or negative")


def _alike(value: object, pattern: object) -> bool:
    """Whether a setting is of its default's type; numbers are finite."""
    if isinstance(pattern, (tuple, list)):
        same = isinstance(value, (tuple, list)) and len(value) == len(pattern)
        return same and all(map(_alike, value, pattern))
    if pattern is None or isinstance(pattern, bool):
        return value is pattern  # how the step is computed, or in which direction
    if isinstance(pattern, (int, float)):
        return isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < float("inf")
    return type(value) is type(pattern)
