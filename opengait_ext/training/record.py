"""What a run leaves for programs to read: ``training.json`` with its checkpoints, ``test-*.json`` beside its logs."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
from torch import distributed

from plugins.common.files import atomic_write

from .progress import uses_cuda

TRAINING = "training.json"


class TrainingRecord:
    """``<folder>/training.json``: iteration of the last checkpoint, ``total_iter``, seconds trained, device, processes;
    ``earlier``, where there are such, the checkpoints that an earlier run has left in the folder.

    Args:
        folder: ``output/<dataset>/<model>/<save_name>``.
        total: ``trainer_cfg.total_iter``.
        goes_on: the seconds of the run that this one goes on with count too.
    """

    def __init__(self, folder: str | Path, total: int, goes_on: bool) -> None:
        self.path, self.total = Path(folder) / TRAINING, total
        found = (read_training(folder) or {}) if goes_on else {}
        self.before, self.earlier = found.get("seconds", 0.0), set(found.get("earlier", ()))
        self.began = time.monotonic()

    def begin(self, earlier: Iterable[int]) -> None:
        """Write the record of a run that begins anew, at iteration 0, in a folder with these checkpoints of another."""
        self.earlier = set(earlier)
        self._write(0)

    def write(self, iteration: int, checkpoint: str | Path) -> None:
        """Write the record after the checkpoint of ``iteration``; a test of what it replaces counts no more."""
        _test_path(self.path.parent, checkpoint).unlink(missing_ok=True)
        self.earlier.discard(iteration)
        self._write(iteration)

    def _write(self, iteration: int) -> None:
        seconds = self.before + time.monotonic() - self.began
        content = {"iteration": iteration, "total_iter": self.total, "seconds": round(seconds, 3), **_where()}
        if self.earlier:
            content["earlier"] = sorted(self.earlier)
        with atomic_write(self.path, "w") as stream:
            json.dump(content, stream, indent=1)


def read_training(folder: str | Path) -> dict[str, Any] | None:
    """Read a run's ``training.json``; ``None`` where there is none, or no readable one."""
    return _read(Path(folder) / TRAINING)


def write_test(folder: str | Path, checkpoint: str, eval_func: str, metrics: Mapping[str, float]) -> Path:
    """Write the metrics of a test as ``<folder>/logs/test-<checkpoint>.json`` and return that path.

    Args:
        folder: ``output/<dataset>/<model>/<save_name>``.
        checkpoint: a file, or its name without ``.pt``.
        eval_func: which evaluation gave them.
        metrics: by short names, in percent as the host's evaluations give them.
    """
    path = _test_path(folder, checkpoint)
    finished = datetime.now().isoformat(timespec="seconds")
    content = {"checkpoint": checkpoint, "eval_func": eval_func, "metrics": metrics, **_where(), "finished": finished}
    with atomic_write(path, "w") as stream:
        json.dump(content, stream, indent=1)
    return path


def read_test(folder: str | Path, checkpoint: str) -> tuple[Path, dict[str, Any]] | None:
    """Return path and content of the last test of a checkpoint, or ``None``."""
    path = _test_path(folder, checkpoint)
    content = _read(path)
    return None if content is None else (path, content)


def _test_path(folder: str | Path, checkpoint: str) -> Path:
    return Path(folder) / "logs" / f"test-{Path(checkpoint).name.removesuffix('.pt')}.json"


def _read(path: Path) -> dict[str, Any] | None:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return content if isinstance(content, dict) else None


def _where() -> dict[str, Any]:
    return {"device": "cuda" if uses_cuda() else "cpu", "processes": distributed.get_world_size()}


def scalars(results: Mapping[str, Any] | None) -> dict[str, float]:
    """Return an evaluation's metrics as numbers by short names, ``mAP`` for ``scalar/test_accuracy/mAP``.

    A matrix of view pairs, probes by gallery, gives two: the mean of all, ``CL, all views``, and without those of one
    view, ``CL, other views``.
    """
    numbers: dict[str, float] = {}
    for name, value in (results or {}).items():
        shape = np.shape(value)
        if not shape:
            numbers[_short(name)] = float(value)
        elif len(shape) == 2 and shape[0] == shape[1] > 1:
            rates, same = np.asarray(value, float), np.eye(len(value), dtype=bool)
            numbers[f"{_short(name)}, all views"] = float(rates.mean())
            numbers[f"{_short(name)}, other views"] = float(rates[~same].mean())
    return numbers


def _short(name: str) -> str:
    return name.removeprefix("scalar/").strip("/").removeprefix("test_accuracy/").removeprefix("test_")


def output_folder(settings: Mapping[str, Any], training: bool) -> str:
    """Return ``output/<dataset>/<model>/<save_name>``, where the host keeps a run's checkpoints, logs and summaries."""
    engine = settings["trainer_cfg" if training else "evaluator_cfg"]
    names = settings["data_cfg"]["dataset_name"], settings["model_cfg"]["model"], engine["save_name"]
    return os.path.join("output", *names)
