"""What a sequence was made from, as a short text that changes when one of its files does."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from pathlib import Path

from .layouts import LAYOUTS

LETTERS = 16


def raw_source(silhouettes: Path, poses: Path, layout: str, name: str) -> str:
    """Return the mark of a sequence of a raw release: its pictures, and its poses' files or lines.

    Args:
        silhouettes, poses: the release's folders.
        layout: one of :data:`.layouts.LAYOUTS`.
        name: ``<id>/<type>/<view>``.
    """
    raw = LAYOUTS[layout]
    found = sorted(raw.poses(poses, name).items())
    files = [entry for _, entry in found if isinstance(entry, Path)]
    lines = [entry for _, entry in found if isinstance(entry, bytes)]
    return _mark([*_inside(raw.images(silhouettes, name)), *files], lines)


def pickled_source(silhouettes: Path, poses: Path, name: str) -> str:
    """Return the mark of a sequence of ready pickles."""
    return _mark([*_inside(silhouettes / name), *_inside(poses / name)])


def _inside(folder: Path) -> list[Path]:
    return sorted(folder.iterdir()) if folder.is_dir() else []


def _mark(files: Iterable[Path], lines: Iterable[bytes] = ()) -> str:
    """Names, sizes and times of files, and the text of lines."""
    digest = hashlib.sha256()
    for file in files:
        about = os.stat(file)
        digest.update(f"{file.name} {about.st_size} {about.st_mtime_ns}\n".encode())
    for line in lines:
        digest.update(line)
    return digest.hexdigest()[:LETTERS]
