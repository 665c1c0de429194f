"""What the folder of a run says: its settings, the commands it was made with, and why it failed."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from ...common.files import read_json, write_json
from ...common.folders import RECORD
from ...errors import KpstraError

CONSOLE, FAILURE, COMMANDS = "console.txt", "failure.json", "commands.json"


def read_settings(folder: Path, part: str = "settings") -> dict[str, Any]:
    """Return all settings of the run in a folder by dotted key, or those it was given beside its configuration.

    Args:
        folder: of the run.
        part: ``settings``, or ``changed``.

    Raises:
        KpstraError: what is written there is no run's.
    """
    path, expected = folder / RECORD, "a run's settings; delete its folder, or choose another --results"
    if not path.is_file():
        return {}
    found = read_json(path, expected).get(part)
    if not isinstance(found, dict):
        raise KpstraError(f"{path}: {part}: {found!r:.60}: expected {expected}")
    return found


def keep_command(folder: Path, command: str, versions: Mapping[str, str]) -> None:
    """Add a command to those that the run in a folder was made with."""
    began = datetime.now().astimezone().isoformat(timespec="seconds")
    kept = [*read_commands(folder), {"command": command, "began": began, "versions": dict(versions)}]
    write_json(folder / COMMANDS, {"commands": kept})


def read_commands(folder: Path) -> list[dict[str, Any]]:
    """Return the commands that the run in a folder was made with: ``command``, ``began`` and ``versions`` of each.

    Raises:
        KpstraError: what is written there is not what a runner wrote.
    """
    path, expected = folder / COMMANDS, "the commands of a run; delete it"
    if not path.is_file():
        return []
    kept = read_json(path, expected).get("commands")
    if not isinstance(kept, list) or not all(isinstance(c, dict) and {"command", "versions"} <= c.keys() for c in kept):
        raise KpstraError(f"{path}: commands: {kept!r:.60}: expected {expected}")
    return kept


def read_failure(folder: Path) -> str:
    """Return why the run in a folder failed when it was last tried; nothing if it did not.

    Raises:
        KpstraError: what is written there is not what a runner wrote.
    """
    path = folder / FAILURE
    return str(read_json(path, "why a run failed; delete it").get("reason", "")) if path.is_file() else ""
