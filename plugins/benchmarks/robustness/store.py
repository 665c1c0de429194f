"""``robustness.json`` and its like: what was tested, and every number; written whole after each point."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any

from ...common.files import read_json, write_json
from ...common.folders import require_same
from ...errors import KpstraError
from .sweep import Point


class Store:
    """The numbers of a claimed folder, in the file that bears the name of the command.

    Raises:
        KpstraError: its file is not what a store wrote.
    """

    def __init__(self, folder: Path, command: str = "robustness") -> None:
        self.path = folder / f"{command}.json"
        self.content: dict[str, Any] = (
            read(self.path) if self.path.exists() else {"format": 2, "runs": {}, "points": []}
        )

    def claim(self, label: str, record: Mapping[str, Any], defaults: Mapping[str, Any]) -> None:
        """Say what a label stands for; if it has stood for something else, raise :class:`KpstraError`.

        Settings that are not in the file and have their ``defaults`` (by dotted key) are no difference, nor are digests
        of ``files`` in one of an earlier version, which had none.
        """
        digests = {f"files.{name}": value for name, value in record.get("files", {}).items()}
        begun = self.content["runs"].setdefault(label, dict(record))
        where, advice = f"{self.path}: run {label!r}", "give the same, or another --output"
        require_same(begun, record, where, advice, defaults={**defaults, **digests})

    def made_by(self, command: str, versions: Mapping[str, str]) -> None:
        """Note a command that adds points, and the versions it does so with; both are written with its first point."""
        began = datetime.now().astimezone().isoformat(timespec="seconds")
        self.content.setdefault("made", []).append({"command": command, "began": began, "versions": dict(versions)})

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
        write_json(self.path, self.content)


def read(path: Path) -> dict[str, Any]:
    """Read the file; raises :class:`KpstraError` if it is not what a store wrote."""
    expected = f"numbers of a `{path.stem}` command; give another --output"
    content = read_json(path, expected)
    try:
        is_ours = content["format"] == 2 and all(map(_is_point, content["points"]))
        if is_ours and content["runs"].keys() >= {point["run"] for point in content["points"]}:
            return content
    except (KeyError, TypeError, ValueError, AttributeError):
        pass
    raise KpstraError(f"{path}: expected {expected}")


def _is_point(point: Mapping[str, Any]) -> bool:
    numbers = [point["severity"], point["seed"], *point["metrics"].values()]
    return isinstance(point["error"], str) and all(isinstance(number, (int, float)) for number in numbers)


def digests(**paths: str) -> dict[str, str]:
    """Return the SHA-256 of each path that is a file, for the ``files`` of a record.

    >>> digests(keypoints="")
    {}
    """
    return {name: digest(path) for name, path in paths.items() if Path(path).is_file()}


def digest(path: str | Path) -> str:
    """Return a file's SHA-256."""
    found = hashlib.sha256()
    with open(path, "rb") as stream:
        while chunk := stream.read(1 << 20):
            found.update(chunk)
    return found.hexdigest()
