"""GREW: silhouettes that its authors resized, poses in pixels of the original picture. Aligned by the body box.

``train/<id>/<seq>/NNNNN.png`` and ``NNNNN_2d_pose.txt``, ``test/gallery/<id>/<seq>``, ``test/probe/<seq>``. Sequences
get OpenGait's names: ``<id>train/00/<seq>``, ``<id>/01/<seq>`` and ``<id>/02/<seq>`` for an identity's gallery, and
``probe/03/<seq>``. OpenGait numbers a gallery in the order in which the file system lists it, once for silhouettes and
again for poses; here it is the order of the silhouettes' names, and poses are joined by the name of the sequence.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from ..poses import read_pose
from .layout import RawLayout, Read, files_by_stem, folders

POSE = "_2d_pose.txt"


def _sequences(root: Path) -> list[str]:
    names = [f"{identity}train/00/{seq}" for identity, seq in _pairs(root / "train")]
    for identity in folders(root / "test" / "gallery", 1):
        gallery = folders(root / "test" / "gallery" / identity, 1)
        names += [f"{identity}/{number:02d}/{seq}" for number, seq in enumerate(gallery, 1)]
    return names + [f"probe/03/{seq}" for seq in folders(root / "test" / "probe", 1)]


def _pairs(root: Path) -> list[list[str]]:
    return [name.split("/") for name in folders(root, 2)]


def _images(root: Path, name: str) -> Path:
    identity, kind, seq = name.split("/")
    if kind == "00":
        return root / "train" / identity.removesuffix("train") / seq
    return root / "test" / "probe" / seq if identity == "probe" else root / "test" / "gallery" / identity / seq


def _poses(root: Path, name: str) -> dict[str, Path]:
    return files_by_stem(_images(root, name), POSE)


def _read(path: Path, image: np.ndarray) -> Read:
    return read_pose(path)


GREW = RawLayout(
    name="grew",
    pattern=r"(train/[^/]+|test/gallery/[^/]+|test/probe)/[^/]+/\d+\.png",
    expected="train/<id>/<seq>/NNNNN.png and NNNNN_2d_pose.txt, test/gallery/<id>/<seq>, test/probe/<seq>",
    exact=False,
    sequences=_sequences,
    images=_images,
    posed=_sequences,
    poses=_poses,
    read=_read,
)


def numbered_as(silhouettes: Path) -> RawLayout:
    """GREW's layout, in which poses have their silhouettes' names even where the poses of others are missing."""

    def posed(poses: Path) -> list[str]:
        names = {_without_number(name): name for name in _sequences(silhouettes)}
        return [names.get(_without_number(name), name) for name in _sequences(poses)]

    return replace(GREW, posed=posed)


def _without_number(name: str) -> tuple[str, str]:
    identity, _, seq = name.split("/")
    return identity, seq
