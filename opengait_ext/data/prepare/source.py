"""What a sequence was made from, as a short text that changes when one of its files does: names, sizes and times."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from pathlib import Path

from ..layout import has_suffix
from .layouts import LAYOUTS
from .sequence import images_of

LETTERS = 16


def raw_source(silhouettes: Path, poses: Path, layout: str, name: str) -> str:
    """Return the mark of a sequence of a raw release: its pictures, and its poses' files or lines.

    Args:
        silhouettes, poses: the release's folders.
        layout: one of :data:`.layouts.LAYOUTS`.
        name: ``<id>/<type>/<view>``.
    """
    raw = LAYOUTS[layout]
    folder = str(raw.images(silhouettes, name))
    pictures = [f"{folder}/{picture}" for picture in images_of(Path(folder))]
    found = sorted(raw.poses(poses, name).items())
    files = [str(entry) for _, entry in found if isinstance(entry, Path)]
    return _mark([*pictures, *files], [entry for _, entry in found if isinstance(entry, bytes)])


def pickled_source(silhouettes: Path, poses: Path, name: str) -> str:
    """Return the mark of a sequence of ready pickles."""
    return _mark([*_pickles(silhouettes / name), *_pickles(poses / name)])


def _pickles(folder: Path) -> list[str]:
    if not folder.is_dir():
        return []
    return sorted(f"{folder}/{name}" for name in os.listdir(folder) if has_suffix(name, ".pkl"))


def _mark(files: Iterable[str], lines: Iterable[bytes] = ()) -> str:
    digest = hashlib.sha256()
    for file in files:
        digest.update(f"{os.path.basename(file)} {_about(file)}\n".encode())
    for line in lines:
        digest.update(line)
    return digest.hexdigest()[:LETTERS]


def _about(file: str) -> str:
    try:
        about = os.stat(file)
    except OSError:  # a link to nowhere: the reader counts it
        return "missing"
    return f"{about.st_size} {about.st_mtime_ns}"
