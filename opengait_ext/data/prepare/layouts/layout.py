"""What a layout is: raw releases, with a picture a frame, and ready pickles, with an array a sequence."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ...layout import has_suffix
from ..poses import POSE_RULES

# Joints (17, 3), and "scaled" if they were; or the rule in POSE_RULES by which there are none or they do not count.
Read = tuple[np.ndarray | None, str]
Arrays = tuple[np.ndarray, np.ndarray, bool]  # silhouettes (T, H, W) uint8, joints (T, 17, 3), whether in their pixels


@dataclass(frozen=True)
class Layout:
    """Names of files below ``--silhouettes``.

    Args:
        name: as ``--layout`` has it.
        pattern: what the path of a silhouette file matches.
        expected: the same in words.
    """

    name: str
    pattern: str
    expected: str


@dataclass(frozen=True)
class RawLayout(Layout):
    """One picture and one pose a frame.

    Args:
        exact: whether joints can be taken to the silhouette's pixels; if not, they are aligned by the body box.
        sequences: of a folder, the sequences ``<id>/<type>/<view>`` with silhouettes, in order.
        images: the folder of a sequence's pictures.
        posed: of a folder, the sequences with poses.
        poses: what there is for each frame of a sequence, by the picture's stem.
        read: its joints, in the picture's pixels if ``exact``.
    """

    exact: bool
    sequences: Callable[[Path], list[str]]
    images: Callable[[Path, str], Path]
    posed: Callable[[Path], list[str]]
    poses: Callable[[Path, str], Mapping[str, Any]]
    read: Callable[[Any, np.ndarray], Read]

    def pose(self, entry: Any, image: np.ndarray) -> Read:
        """The joints of a frame of which there is an ``entry`` among its poses, or ``None``."""
        if entry is None:
            return None, "missing"
        joints, rule = self.read(entry, image)
        unscored = rule not in POSE_RULES and not (joints[:, 2] > 0).any()
        return joints, "no_score" if unscored else rule


@dataclass(frozen=True)
class PickledLayout(Layout):
    """One array of silhouettes and one of poses a sequence, in ``<id>/<type>/<view>/``.

    Args:
        arrays: reads both from the folders of a sequence's silhouettes and poses.
        kind: how joints come to the silhouettes' pixels, for the report.
    """

    arrays: Callable[[Path, Path], Arrays]
    kind: str = "approximate, by body box"


def folders(root: Path, depth: int) -> list[str]:
    """The folders so many levels below a folder, in order of names; none if it is missing."""
    level = [""]
    for _ in range(depth):
        level = [f"{above}{name}/" for above in level for name in _inside(root / above)]
    return [name[:-1] for name in level]


def _inside(folder: Path) -> list[str]:
    if not folder.is_dir():
        return []
    with os.scandir(folder) as entries:
        return sorted(entry.name for entry in entries if not entry.name.startswith(".") and entry.is_dir())


def files_by_stem(folder: Path, suffix: str) -> dict[str, Path]:
    """Files of a folder by their names without ``suffix``; none if there is no such folder."""
    if not folder.is_dir():
        return {}
    return {name[: -len(suffix)]: folder / name for name in os.listdir(folder) if has_suffix(name, suffix)}
