"""Of which data a test is, and whether they are the ones that its network's training names."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from plugins.common.files import read_json
from plugins.common.folders import RECORD
from plugins.errors import KpstraError

NAME, ROOT, PARTITION = "test_dataset_name", "dataset_root", "dataset_partition"


def marked(partition: str | Path) -> str:
    """Return a partition file's name with part of its content's hash, ``Gait3D.json (sha256 1f0c62ab)``."""
    path = Path(partition)
    return f"{path.name} (sha256 {hashlib.sha256(path.read_bytes()).hexdigest()[:8]})"


def tested_data(settings: Mapping[str, Any]) -> dict[str, str]:
    """Return name, root and partition of the data that a run of these settings tests."""
    data = settings["data_cfg"]
    return {NAME: _name(data), ROOT: str(data[ROOT]), PARTITION: marked(data[PARTITION])}


def data_of_training(folder: str | Path) -> dict[str, str] | None:
    """Return the same of the training in an output folder; ``None`` where its settings are not known."""
    try:
        data = read_json(Path(folder) / RECORD, "the settings of a training")["data_cfg"]
        return {NAME: _name(data), ROOT: str(data[ROOT]), PARTITION: str(data[PARTITION])}
    except (KpstraError, KeyError, TypeError, AttributeError):  # a file of the user's that is called so
        return None


def same_set(one: Mapping[str, str], other: Mapping[str, str]) -> bool:
    """Return whether both name the same data set and people, wherever it lies."""
    return one[NAME] == other[NAME] and _digest(one) == _digest(other)


def same_data(one: Mapping[str, str], other: Mapping[str, str]) -> bool:
    """Return whether both are the same data set, at the same place."""
    return same_set(one, other) and one[ROOT] == other[ROOT]


def ending(data: Mapping[str, str]) -> str:
    """Return what the names of files about these data end in: their name, and a mark that no others have."""
    mark = hashlib.sha256("\n".join((data[NAME], data[ROOT], _digest(data))).encode()).hexdigest()[:8]
    name = re.sub(r"[^\w.-]+", "_", data[NAME])
    return f"{name}-{mark}"


def _name(data: Mapping[str, Any]) -> str:
    return str(data.get(NAME, data["dataset_name"]))


def _digest(data: Mapping[str, str]) -> str:
    return data[PARTITION].rpartition(" (")[2]
