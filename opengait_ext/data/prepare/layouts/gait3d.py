"""Gait3D's raw release, and one's own recordings: ``<id>/<cam_video>/<seq>/<frame>.png`` and ``.txt``."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ...layout import find_sequences
from ..poses import read_pose
from .layout import RawLayout, Read, files_by_stem


def _sequences(root: Path) -> list[str]:
    return find_sequences(root, ".png", "--silhouettes")


def _posed(root: Path) -> list[str]:
    return find_sequences(root, ".txt", "--poses")


def folder_of(root: Path, name: str) -> Path:
    """The folder of a sequence."""
    return root / name


def _poses(root: Path, name: str) -> dict[str, Path]:
    return files_by_stem(root / name, ".txt")


def _read(path: Path, image: np.ndarray) -> Read:
    return read_pose(path, image.shape[::-1])


GAIT3D = RawLayout(
    name="gait3d",
    pattern=r"[^/]+/[^/]+/[^/]+/[^/]+\.(png|PNG)",
    expected="<id>/<cam_video>/<seq>/<frame>.png and .txt",
    exact=True,
    sequences=_sequences,
    images=folder_of,
    posed=_posed,
    poses=_poses,
    read=_read,
)
