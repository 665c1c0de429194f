"""Checkpoints read safely, what of their weights fits a model, and an optimiser restored from one."""

from __future__ import annotations

import os
import re
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, optim

from ..errors import KpstraError, some
from .files import disk_error


def read(path: str | os.PathLike, device: str | torch.device = "cpu", allowed: Sequence[Any] = ()) -> dict[str, Any]:
    """Read a checkpoint, torch's or a safetensors file, without running any code in it.

    Args:
        path: of the file; ``~`` is the home folder.
        device: where its tensors go.
        allowed: classes and functions beside tensors and plain types, as for ``torch.serialization.safe_globals``.

    Raises:
        KpstraError: no such file (names those of that kind that exist), unreadable, changed since it was written,
            no mapping, or holding anything but tensors, plain types and what is allowed.
    """
    path = Path(path).expanduser()
    if not path.is_file():
        there = sorted(p.name for p in path.parent.glob(f"*{path.suffix}")) if path.suffix else []
        raise KpstraError(f"{path}: no such checkpoint file" + (f"; there are {some(there, 5)}" if there else ""))
    try:
        if path.suffix == ".safetensors":
            from safetensors.torch import load_file

            return load_file(path, device=str(device))
        _require_whole(path)
        with torch.serialization.safe_globals(list(allowed)):
            checkpoint = torch.load(path, map_location=device, weights_only=True)
    except Exception as error:  # a damaged file can fail anywhere in the reader
        raise KpstraError(f"{path}: {_reason(error)}") from error
    if not isinstance(checkpoint, dict):
        raise KpstraError(f"{path}: holds a {type(checkpoint).__name__}, expected a checkpoint or a state dict")
    return checkpoint


def _require_whole(path: Path) -> None:
    """Compare every part of the archive with its checksum, which torch does not look at; old files have none."""
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            changed = archive.testzip()
        if changed:
            raise zipfile.BadZipFile(f"{changed} has changed since it was written")


def _reason(error: Exception) -> str:
    if refused := re.search(r"GLOBAL (\S+)", str(error)):
        return f"refused, because it holds {refused[1]} where only tensors and plain values belong; use another file"
    if reason := disk_error(error):
        return f"cannot be read: {reason}"
    return f"damaged, cut short or not a checkpoint ({type(error).__name__}); use another file"


@dataclass(frozen=True)
class FitReport:
    """What of a file's weights fits a model by name and shape.

    ``reshaped`` and ``unknown`` weights of the file are left out; ``kept`` ones of the model stay as they are.
    """

    source: str
    weights: Mapping[str, Tensor]  # those that fit
    reshaped: Mapping[str, str]  # with both shapes
    unknown: Sequence[str]
    kept: Sequence[str]

    @property
    def left_out(self) -> list[str]:
        """Names of the file's weights that do not fit."""
        return [*self.reshaped, *self.unknown]

    def summary(self) -> str:
        """Return the report as text: a line for what was loaded, and one for each part that is not empty."""
        total = len(self.weights) + len(self.kept)
        lines = [f"{self.source}: {len(self.weights)} of the model's {total} tensors loaded"]
        for names, what in (
            ([f"{name} {shapes}" for name, shapes in self.reshaped.items()], "left out, of another shape"),
            (self.unknown, "left out, not in this model"),
            (self.kept, "not in the file, kept as they were"),
        ):
            if names:
                lines.append(f"  {len(names)} {what}: {', '.join(names)}")
        return "\n".join(lines)


def fit(weights: Mapping[str, Tensor], target: Mapping[str, Tensor], source: object) -> FitReport:
    """Keep what fits by name and shape.

    Args:
        weights: of a file; DataParallel's ``module.`` in front of names is dropped.
        target: a model's state dict.
        source: the file, for messages.

    Returns:
        The report; ``model.load_state_dict(report.weights, strict=False)`` loads what fits. Batch norms' counts of
        batches, which do not enter what a network computes, are not missed.

    Raises:
        KpstraError: nothing fits.
    """
    weights = {name.removeprefix("module."): value for name, value in weights.items()}
    fits = {name: value for name, value in weights.items() if name in target and value.shape == target[name].shape}
    if not fits:
        raise KpstraError(
            f"{source}: no tensor fits the model by name and shape; the file has {some(weights) or 'none'}, the model "
            f"{some(target)}: is it another model's?"
        )
    return FitReport(
        str(source),
        fits,
        {
            name: f"{tuple(value.shape)} here {tuple(target[name].shape)}"
            for name, value in weights.items()
            if name in target and name not in fits
        },
        [name for name in weights if name not in target],
        [name for name in target if name not in fits and not name.endswith("num_batches_tracked")],
    )


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
