"""``robustness.json``: what was tested, and every number; written whole after each point."""

from __future__ import annotations

import fcntl
import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from plugins.common.files import atomic_write
from plugins.errors import KpstraError

from .sweep import CheckpointRun, Point

FILE, LOCK = "robustness.json", ".lock"


class Store:
    """The numbers of a folder.

    Args:
        folder: made if missing.
        setting: what all its points share; another one's points are refused.

    Raises:
        KpstraError: the folder cannot be used, or was begun with another setting.
    """

    def __init__(self, folder: Path, setting: Mapping[str, Any]) -> None:
        self.path = folder / FILE
        self.content: dict[str, Any] = {"format": 1, "setting": dict(setting), "runs": {}, "points": []}
        if self.path.exists():
            self.content = read(self.path)
            same(self.content["setting"], setting, f"--output {folder}")

    def claim(self, label: str, record: Mapping[str, Any]) -> None:
        """Say what a label stands for; if it has stood for something else, raise :class:`KpstraError`."""
        same(self.content["runs"].setdefault(label, dict(record)), record, f"{self.path}: run {label!r}")

    def find(self, label: str, point: Point) -> dict[str, float] | None:
        """Return the metrics of a finished point."""
        wanted = {"run": label, **asdict(point)}
        for row in self.content["points"]:
            if all(row[key] == value for key, value in wanted.items()):
                return row["metrics"]
        return None

    def put(self, label: str, point: Point, metrics: Mapping[str, float]) -> None:
        """Add a finished point and write the file."""
        self.content["points"].append({"run": label, **asdict(point), "metrics": dict(metrics)})
        with atomic_write(self.path, "w") as stream:
            json.dump(self.content, stream, indent=1)
            stream.write("\n")


def read(path: Path) -> dict[str, Any]:
    """Read the file; raises :class:`KpstraError` if it is not what a store wrote."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if content["format"] == 1 and all(row["metrics"] for row in content["points"]) and content["runs"] is not None:
            return content
    except (OSError, ValueError, KeyError, TypeError):
        pass
    raise KpstraError(f"{path}: not numbers of opengait_ext.benchmarks.robustness; give another --output")


def record(run: CheckpointRun, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return what identifies a run: its weights, its network, and how it is tested on what."""
    evaluator = {k: v for k, v in settings["evaluator_cfg"].items() if k != "restore_hint"}
    data = {k: v for k, v in settings["data_cfg"].items() if k not in ("num_workers", "cache")}
    return {
        "checkpoint": Path(run.checkpoint).name,
        "sha256": digest(run.checkpoint),
        "model_cfg": settings["model_cfg"],
        "evaluator_cfg": evaluator,
        "data_cfg": data,
    }


def digest(path: str | Path) -> str:
    """Return a file's SHA-256."""
    found = hashlib.sha256()
    with open(path, "rb") as stream:
        while chunk := stream.read(1 << 20):
            found.update(chunk)
    return found.hexdigest()


def same(there: Mapping[str, Any], given: Mapping[str, Any], where: str) -> None:
    """Raise :class:`KpstraError` at the first key that differs."""
    given = json.loads(json.dumps(given))
    for key in {**there, **given}:
        if there.get(key) != given.get(key):
            raise KpstraError(
                f"{where}: was begun with {key} {_short(there.get(key))}, not {_short(given.get(key))}; "
                "give the same, or another --output"
            )


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 120 else f"{text[:117]}..."


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Make a folder and keep other runs out of it.

    Raises:
        KpstraError: it cannot be made, or another run is at it.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with open(folder / LOCK, "wb") as stream:
            try:
                fcntl.lockf(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                raise KpstraError(f"--output {folder}: another run is writing to it; wait for its end") from error
            yield
    except OSError as error:
        raise KpstraError(f"--output {folder}: {error}; once that is mended, the same command goes on") from error
