"""Checkpoints: written whole or not at all, of plain types, and read without running any code in them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from plugins.common.checkpoints import read
from plugins.common.files import atomic_write
from plugins.common.folders import require_same
from plugins.common.numerics import require_finite
from plugins.common.settings import flatten
from plugins.errors import KpstraError, some
from plugins.stra.reference import from_reference

from ..settings.schema import SCHEMA
from .rng import rng_state

SETTINGS = "settings"  # of the network, in a checkpoint


def _plain_scalar(dtype: np.dtype, data: bytes) -> float | int:
    """Stand in for NumPy's unpickling of a scalar: a plain number, never an object."""
    return np.frombuffer(data, dtype, count=1)[0].item()


# torchreid's own files hold `rank1` as a NumPy scalar; its name depends on the NumPy that wrote it.
SAFE_GLOBALS = [
    (_plain_scalar, "numpy.core.multiarray.scalar"),
    (_plain_scalar, "numpy._core.multiarray.scalar"),
    np.dtype,
    *(type(np.dtype(name)) for name in ("float32", "float64", "int32", "int64")),
]


def training_state(
    model: nn.Module,
    optimizer,
    scheduler,
    epoch: int,
    rank1: float | None = None,
    settings: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Return all that a run needs to go on as if it had not stopped.

    Args:
        model: saved without DataParallel's ``module.`` prefix.
        optimizer, scheduler: either may be ``None``.
        epoch: number of finished epochs.
        rank1: measured after this epoch; left out when it was not.
        settings: that the network was built with, of :func:`reid_ext.models.options.network_settings`; for
            :func:`require_same_network`.
    """
    state = {"state_dict": inner(model).state_dict(), "epoch": int(epoch), "rng": rng_state()}
    if optimizer is not None:
        state["optimizer"] = optimizer.state_dict()
    if scheduler is not None:
        state["scheduler"] = scheduler.state_dict()
    if rank1 is not None:
        state["rank1"] = float(rank1)
    if settings is not None:
        state[SETTINGS] = dict(settings)
    return state


def require_same_network(checkpoint: Mapping[str, Any], settings: Mapping[str, Any], path: str | Path) -> None:
    """Refuse weights of a network that computes something else with tensors of the same names and shapes.

    Args:
        checkpoint: one without a record of its network's settings, such as torchreid's own, is taken.
        settings: of the network that the weights are for, of :func:`reid_ext.models.options.network_settings`.
        path: of the checkpoint, for messages.

    Raises:
        KpstraError: names the settings that differ, with both values.
    """
    begun = checkpoint.get(SETTINGS)
    if isinstance(begun, Mapping) and "model.name" in begun:
        usual = {k: v for k, v in flatten(SCHEMA).items() if k.startswith(("stra.", "kprpe."))}
        advice = "give the settings of the training, in --config-file or as an extractor's kprpe and stra"
        name = {"model.name": begun["model.name"]}  # is told first
        require_same({**name, **usual, **begun}, {**usual, **settings}, str(path), advice)


def save_checkpoint(state: Mapping[str, Any], path: str | Path) -> None:
    """Write ``state`` to ``path`` with torch.save; a kill leaves the old file or the new one."""
    with atomic_write(path) as stream:
        torch.save(dict(state), stream)


def load_checkpoint(path: str | Path) -> dict[str, Any]:
    """Read a checkpoint onto the CPU: ours, torchreid's (also with a NumPy ``rank1``) or a plain state dict.

    Raises:
        KpstraError: no such file, damaged, or holding anything but tensors and plain types (no code of it is run).
    """
    return read(path, allowed=SAFE_GLOBALS)


def weights_of(checkpoint: Mapping[str, Any], path: str | Path) -> tuple[dict[str, Tensor], bool]:
    """Return a checkpoint's weights under our names without ``module.``, and whether they had the authors' names.

    Raises:
        KpstraError: no tensors by name, or some that are not finite.
    """
    weights = checkpoint.get("state_dict", checkpoint)
    if not isinstance(weights, dict) or not all(isinstance(value, Tensor) for value in weights.values()):
        raise KpstraError(
            f"{path}: expected tensors by name, or a `state_dict` of them; found {some(checkpoint) or 'nothing'}"
        )
    require_finite(weights.items(), f"{path}: its weights")
    try:
        return from_reference(weights), True
    except KpstraError:  # does not bear the authors' names
        return {key.removeprefix("module."): value for key, value in weights.items()}, False


def inner(model: nn.Module) -> nn.Module:
    """Return the model itself, also of one inside DataParallel."""
    return model.module if isinstance(model, nn.DataParallel) else model
