"""Checkpoints: written whole or not at all, of plain types, and read without running any code in them."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from plugins.common.checkpoints import load_optimizer, part_of, read
from plugins.common.files import atomic_write
from plugins.common.numerics import require_finite
from plugins.errors import KpstraError
from plugins.stra.reference import from_reference

# What tells the host's schedulers apart in their state.
SCHEDULER_KEYS = {"StepLR": "step_size", "MultiStepLR": "milestones", "CosineAnnealingLR": "T_max"}


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


class WeightReport(NamedTuple):
    """Which of a file's layers went into a model, which did not fit, and which of the model's kept their values."""

    source: str
    loaded: list[str]
    left_out: list[str]
    kept: list[str]

    def summary(self) -> str:
        """Return the report as text, one line a part."""
        return (
            f"weights from {self.source}: {len(self.loaded)} tensors loaded\n"
            f"  left out (no such name and size in the model): {', '.join(self.left_out) or 'none'}\n"
            f"  not in the file (kept as they were): {', '.join(self.kept) or 'none'}"
        )


def training_state(model: nn.Module, optimizer, scheduler, epoch: int, rank1: float | None = None) -> dict[str, Any]:
    """Return all that a run needs to go on as if it had not stopped.

    Args:
        model: saved without DataParallel's ``module.`` prefix.
        optimizer, scheduler: either may be ``None``.
        epoch: number of finished epochs.
        rank1: measured after this epoch; left out when it was not.
    """
    state = {"state_dict": _inner(model).state_dict(), "epoch": int(epoch), "rng": rng_state()}
    if optimizer is not None:
        state["optimizer"] = optimizer.state_dict()
    if scheduler is not None:
        state["scheduler"] = scheduler.state_dict()
    if rank1 is not None:
        state["rank1"] = float(rank1)
    return state


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


def load_weights(model: nn.Module, path: str | Path) -> WeightReport:
    """Load what fits ``model`` by name and size, as ``model.load_weights`` asks; print and return the report.

    The authors' StRA checkpoints are recognised and renamed.

    Raises:
        KpstraError: an unreadable file, or one of which nothing fits.
    """
    weights, _ = _weights(load_checkpoint(path), path)
    target = _inner(model).state_dict()
    fits = {key: value for key, value in weights.items() if key in target and target[key].shape == value.shape}
    if not fits:
        raise KpstraError(
            f"{path}: no tensor fits the model by name and size; the file has {_first(weights)}, "
            f"the model {_first(target)}: is model.name right?"
        )
    _inner(model).load_state_dict(fits, strict=False)
    left_out = [key for key in weights if key not in fits]
    kept = [key for key in target if key not in fits and not key.endswith("num_batches_tracked")]
    report = WeightReport(str(path), list(fits), left_out, kept)
    print(report.summary())
    return report


def resume(path: str | Path, model: nn.Module, optimizer=None, scheduler=None) -> int:
    """Restore model, optimiser, scheduler and random streams; return the number of finished epochs.

    torchreid's files hold no random streams. The authors' network lists its parameters in another order, so that of
    their optimiser only the learning rate is taken over.

    Raises:
        KpstraError: an unreadable file, or one of another network, optimiser or scheduler.
    """
    checkpoint = load_checkpoint(path)
    if not isinstance(checkpoint.get("epoch"), int):
        raise KpstraError(f"{path}: no `epoch`: not a training checkpoint; use model.load_weights for its weights")
    weights, from_authors = _weights(checkpoint, path)
    _load_all(_inner(model), weights, path)
    if optimizer is not None and "optimizer" in checkpoint:
        with part_of(path, "optimizer"):
            _load_optimizer(optimizer, checkpoint["optimizer"], path, learning_rate_only=from_authors)
    if scheduler is not None and "scheduler" in checkpoint:
        with part_of(path, "scheduler"):
            _load_scheduler(scheduler, checkpoint["scheduler"], path)
    if "rng" in checkpoint:
        with part_of(path, "random state"), _rng_unchanged_on_error():
            set_rng_state(checkpoint["rng"])
    return checkpoint["epoch"]


def rng_state() -> dict[str, Any]:
    """Return the state of every random stream that training draws from, as plain types and tensors."""
    _, keys, *rest = np.random.get_state()
    return {
        "python": random.getstate(),
        "numpy": [keys.tolist(), *rest],
        "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
    }


def set_rng_state(state: Mapping[str, Any]) -> None:
    """Set what :func:`rng_state` returned; states of GPUs that this machine lacks are left out."""
    random.setstate(state["python"])
    keys, *rest = state["numpy"]
    np.random.set_state(("MT19937", np.array(keys, dtype=np.uint32), *rest))
    torch.set_rng_state(state["torch"])
    for device, cuda_state in enumerate(state["cuda"][: torch.cuda.device_count()]):
        torch.cuda.set_rng_state(cuda_state, device)


@contextmanager
def _rng_unchanged_on_error() -> Iterator[None]:
    state = rng_state()
    try:
        yield
    except Exception:
        set_rng_state(state)
        raise


@contextmanager
def preserved_rng() -> Iterator[None]:
    """Leave the random streams after the block as they were before it."""
    state = rng_state()
    try:
        yield
    finally:
        set_rng_state(state)


def _weights(checkpoint: Mapping[str, Any], path: str | Path) -> tuple[dict[str, Tensor], bool]:
    """Return the weights under our names without ``module.``, and whether they had the authors' names."""
    weights = checkpoint.get("state_dict", checkpoint)
    if not isinstance(weights, dict) or not all(isinstance(value, Tensor) for value in weights.values()):
        raise KpstraError(f"{path}: expected tensors by name, or a `state_dict` of them; found {_first(checkpoint)}")
    require_finite(weights.items(), f"{path}: its weights")
    try:
        return from_reference(weights), True
    except KpstraError:  # does not bear the authors' names
        return {key.removeprefix("module."): value for key, value in weights.items()}, False


def _load_all(model: nn.Module, weights: Mapping[str, Tensor], path: str | Path) -> None:
    target = model.state_dict()
    problems = [f"{key} is missing" for key in target if key not in weights and not key.endswith("num_batches_tracked")]
    problems += [f"{key} is unknown" for key in weights if key not in target]
    problems += [
        f"{key} is {tuple(weights[key].shape)}, expected {tuple(value.shape)}"
        for key, value in target.items()
        if key in weights and weights[key].shape != value.shape
    ]
    if problems:
        more = f" and {len(problems) - 3} more" if len(problems) > 3 else ""
        raise KpstraError(
            f"{path}: saved from another network: {'; '.join(problems[:3])}{more}; set model.name and the data "
            "as in the run that saved it, or use model.load_weights"
        )
    model.load_state_dict(weights, strict=False)


def _load_optimizer(optimizer, state: Mapping[str, Any], path: str | Path, learning_rate_only: bool) -> None:
    groups = state["param_groups"]
    unknown = [key for key in groups[0] if key not in optimizer.param_groups[0]]
    sizes = [[len(group["params"]) for group in side] for side in (groups, optimizer.param_groups)]
    if unknown or len(sizes[0]) != len(sizes[1]) or (sizes[0] != sizes[1] and not learning_rate_only):
        difference = f"setting {unknown[0]}" if unknown else f"{sizes[0]} parameters by group, expected {sizes[1]}"
        raise KpstraError(
            f"{path}: its optimizer does not fit {type(optimizer).__name__} ({difference}); set train.optim and "
            "train.staged_lr as in the run that saved it, or use model.load_weights"
        )
    if learning_rate_only:
        for group, saved in zip(optimizer.param_groups, groups, strict=True):
            group.update({key: saved[key] for key in ("lr", "initial_lr") if key in saved})
        print(f"{path}: the authors' file: weights and learning rate taken over, the optimizer's moments start at zero")
    else:
        load_optimizer(optimizer, state)


def _load_scheduler(scheduler, state: Mapping[str, Any], path: str | Path) -> None:
    key = SCHEDULER_KEYS.get(type(scheduler).__name__)
    if key is not None and key not in state:
        saved = [name for name, other in SCHEDULER_KEYS.items() if other in state]
        raise KpstraError(
            f"{path}: its scheduler is {', '.join(saved) or 'unknown'}, expected {type(scheduler).__name__}; set "
            "train.lr_scheduler as in the run that saved it, or use model.load_weights"
        )
    fresh = scheduler.state_dict()
    scheduler.load_state_dict(state)
    for name, value in fresh.items():
        if type(value) in (int, float) and type(state.get(name, value)) not in (int, float):
            raise ValueError(f"{name} is {state[name]!r}, expected such as {value!r}")


def _inner(model: nn.Module) -> nn.Module:
    return model.module if isinstance(model, nn.DataParallel) else model


def _first(names: Mapping[str, Any]) -> str:
    return f"{', '.join(map(str, list(names)[:3])) or 'nothing'}, ..."
