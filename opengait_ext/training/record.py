"""What a run leaves for programs to read: ``training.json`` with its checkpoints, ``test-*.json`` beside its logs."""

from __future__ import annotations

import glob
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
from .tested_data import data_of_training, ending, same_data, same_set, tested_data

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
        """Write the record after the checkpoint of ``iteration``; tests of what it replaces count no more."""
        for path in (_test_path(self.path.parent, checkpoint), *_tests_elsewhere(self.path.parent, checkpoint)):
            path.unlink(missing_ok=True)
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


def write_test(folder: str | Path, checkpoint: str, settings: Mapping[str, Any], metrics: Mapping[str, float]) -> Path:
    """Write the metrics of a test as ``<folder>/logs/test-<checkpoint>.json`` and return that path.

    A test of other data than the training's (or, where those are not known, than those of the record that is there)
    gets a file of its own beside it, ``test-<checkpoint>-on-<test_dataset_name>-<mark>.json``.

    Args:
        folder: ``output/<dataset>/<model>/<save_name>``.
        checkpoint: a file, or its name without ``.pt``.
        settings: of the test; of which data it is and how they were evaluated is written down.
        metrics: by short names, in percent as the host's evaluations give them.
    """
    data, evaluator = tested_data(settings), settings["evaluator_cfg"]
    path = _test_path(folder, checkpoint)
    usual = data_of_training(folder) or _data_of(_read(path))
    if usual is not None and not same_data(usual, data):
        path = path.with_name(f"{path.stem}-on-{ending(data)}.json")
    finished = datetime.now().isoformat(timespec="seconds")
    content = {"checkpoint": checkpoint, "eval_func": evaluator["eval_func"], "metrics": metrics}
    content |= {**_where(), "finished": finished, "data": data, "evaluator_cfg": evaluator}
    with atomic_write(path, "w") as stream:
        json.dump(content, stream, indent=1, default=str)
    return path


def read_test(folder: str | Path, checkpoint: str) -> tuple[Path, dict[str, Any]] | None:
    """Return path and content of the last test of a checkpoint on the data that its training names, or ``None``.

    Where there is none, one on the same data set at another place, to which it may have been moved, counts.
    """
    path = _test_path(folder, checkpoint)
    if (content := _read(path)) is not None:
        return path, content
    usual, moved = data_of_training(folder), []
    for path in _tests_elsewhere(folder, checkpoint):
        data = _data_of(content := _read(path))
        if usual and data and same_set(usual, data):
            moved.append((content["finished"], path, content))
    return max(moved)[1:] if moved else None


def _test_path(folder: str | Path, checkpoint: str) -> Path:
    return Path(folder) / "logs" / f"test-{Path(checkpoint).name.removesuffix('.pt')}.json"


def _tests_elsewhere(folder: str | Path, checkpoint: str) -> list[Path]:
    path = _test_path(folder, checkpoint)
    return sorted(path.parent.glob(f"{glob.escape(path.stem)}-on-*.json"))


def _data_of(record: Mapping[str, Any] | None) -> dict[str, str] | None:
    """Return of which data a test's record is; those of earlier versions do not say."""
    return (record or {}).get("data")


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
