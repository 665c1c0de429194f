"""A run goes on from a checkpoint: weights, optimiser, scheduler and random streams, each checked."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from plugins.common.checkpoints import fit, load_optimizer, part_of
from plugins.errors import KpstraError, some

from .checkpoints import inner, load_checkpoint, require_same_network, weights_of
from .rng import rng_unchanged_on_error, set_rng_state

# What tells the schedulers of :mod:`.schedules` apart in their state.
SCHEDULER_KEYS = {
    "StepLR": "step_size",
    "MultiStepLR": "milestones",
    "CosineAnnealingLR": "T_max",
    "SequentialLR": "_milestones",
}


def resume(
    path: str | Path, model: nn.Module, optimizer=None, scheduler=None, settings: Mapping[str, Any] | None = None
) -> int:
    """Restore model, optimiser, scheduler and random streams; return the number of finished epochs.

    torchreid's files hold no random streams. The authors' network lists its parameters in another order, so that of
    their optimiser only the learning rate is taken over.

    Args:
        path: the checkpoint.
        model, optimizer, scheduler: what is restored; the last two may be ``None``.
        settings: as for :func:`reid_ext.training.weights.load_all_features`.

    Raises:
        KpstraError: an unreadable file, or one of another network, optimiser or scheduler.
    """
    checkpoint = load_checkpoint(path)
    if not isinstance(checkpoint.get("epoch"), int):
        raise KpstraError(f"{path}: no `epoch`: not a training checkpoint; use model.load_weights for its weights")
    weights, from_authors = weights_of(checkpoint, path)
    _load_all(inner(model), weights, path)
    if settings is not None:
        require_same_network(checkpoint, settings, path)
    if optimizer is not None and "optimizer" in checkpoint:
        with part_of(path, "optimizer"):
            _load_optimizer(optimizer, checkpoint["optimizer"], path, learning_rate_only=from_authors)
    if scheduler is not None and "scheduler" in checkpoint:
        with part_of(path, "scheduler"):
            _load_scheduler(scheduler, checkpoint["scheduler"], path)
    if "rng" in checkpoint:
        with part_of(path, "random state"), rng_unchanged_on_error():
            set_rng_state(checkpoint["rng"])
    return checkpoint["epoch"]


def _load_all(model: nn.Module, weights: Mapping[str, Tensor], path: str | Path) -> None:
    report = fit(weights, model.state_dict(), path)
    problems = [f"{name} is missing" for name in report.kept if name not in report.reshaped]
    problems += [f"{name} is unknown" for name in report.unknown]
    problems += [f"{name} is {shapes}" for name, shapes in report.reshaped.items()]
    if problems:
        raise KpstraError(
            f"{path}: saved from another network: {some(problems, separator='; ')}; set model.name and the data as in "
            "the run that saved it, or use model.load_weights"
        )
    model.load_state_dict(report.weights, strict=False)


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
