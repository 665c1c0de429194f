"""What a data set on disk is, before torchreid numbers its people: images by split, and how a layout is told."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from plugins.errors import KpstraError

SPLITS = ("train", "query", "gallery")
SUFFIXES = (".jpg", ".jpeg", ".png")
# how a model is tested on a data set: torchreid's way, or one of reid_ext.evaluation's protocols
RANKING, VERIFICATION, TEMPLATES = "ranking", "verification of pairs", "verification of templates"
IDENTIFICATION, ACCURACY = "identification", "accuracy"


class Image(NamedTuple):
    """One image: its file, and person and camera as its source names them."""

    path: str
    person: str
    camera: str


class Layout(NamedTuple):
    """How a data set may lie: told by ``matches`` of a file or folder, read by ``read``, which gives every split.

    ``truth`` reads what a protocol needs beside images and people.
    """

    expected: str  # for messages
    matches: Callable[[Path], bool]
    read: Callable[[Path], dict[str, list[Image]]]
    protocol: str = RANKING
    truth: Callable[[Path], Any] | None = None
    distractor: str | None = None  # the person that is nobody's match
    contained: bool = False  # images lie in one file


def empty() -> dict[str, list[Image]]:
    """Return splits without images."""
    return {split: [] for split in SPLITS}


def files_below(folder: Path) -> list[Path]:
    """Return the image files of a folder, in the order of their names."""
    return sorted(path for path in folder.glob("*") if path.suffix.lower() in SUFFIXES)


def refuse(wrong: list[str]) -> None:
    """Raise :class:`KpstraError` with the first of some messages, and how many there are, if there is one."""
    if wrong:
        more = f" (the first of {len(wrong)})" if len(wrong) > 1 else ""
        raise KpstraError(f"{wrong[0]}{more}")
