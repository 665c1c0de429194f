"""Pairs drawn from identity folders, as LFW's were: folds of equal size, half of each of one person."""

from __future__ import annotations

import csv
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from plugins.common.files import atomic_write
from plugins.errors import KpstraError

from ..splits import files_below
from .pairs import COLUMNS

FOLDS = 10
Pair = tuple[Path, Path, bool]


def draw_pairs(folder: Path, number: int, seed: int = 0) -> list[Pair]:
    """Return different pairs of images, and whether they are of one person.

    Pairs of one person are drawn evenly from all that there are, and so are those of two people; in each of ten folds
    in a row the first half is of one person.

    Args:
        folder: a folder for each identity in it.
        number: of pairs.
        seed: of the random numbers.

    Raises:
        KpstraError: no multiple of 20, a seed below 0, or fewer pairs than asked for.
    """
    if number < 2 * FOLDS or number % (2 * FOLDS):
        raise KpstraError(f"--number {number}: expected a multiple of {2 * FOLDS}: {FOLDS} folds, half of one person")
    if seed < 0:
        raise KpstraError(f"--seed {seed}: expected a whole number from 0")
    if not folder.is_dir():
        raise KpstraError(f"{folder}: no such folder")
    people = [files_below(path) for path in sorted(folder.iterdir()) if path.is_dir()]
    sizes, half = np.array([len(images) for images in people], np.int64), number // 2
    alike = sizes * (sizes - 1) // 2
    unlike = int(sizes.sum() ** 2 - (sizes**2).sum()) // 2 if people else 0
    for there, kind in ((int(alike.sum()), "one person"), (unlike, "two people")):
        if there < half:
            raise KpstraError(f"--number {number}: {folder} has {there} pairs of {kind}, fewer than {half}")
    rng = np.random.default_rng(seed)
    same: dict[Pair, None] = {}
    while len(same) < half:
        images = people[rng.choice(len(people), p=alike / alike.sum())]
        first, second = sorted(rng.choice(len(images), 2, replace=False).tolist())
        same[images[first], images[second], True] = None
    other: dict[Pair, None] = {}
    while len(other) < half:
        one, two = sorted(rng.choice(len(people), 2, p=sizes / sizes.sum()).tolist())
        if one != two:
            images = people[one][rng.integers(sizes[one])], people[two][rng.integers(sizes[two])]
            other[(*images, False)] = None
    each, parts = half // FOLDS, ([*same], [*other])
    return [pair for fold in range(FOLDS) for part in parts for pair in part[fold * each : (fold + 1) * each]]


def write_table(path: Path, pairs: Sequence[Pair]) -> None:
    """Write pairs as a CSV whose paths are seen from its folder.

    Raises:
        KpstraError: it cannot be written, or is not called ``.csv``.
    """
    if path.suffix != ".csv":
        raise KpstraError(f"--output {path}: expected a name that ends in .csv")
    with atomic_write(path, "w") as stream:
        rows = csv.writer(stream, lineterminator="\n")
        rows.writerow(COLUMNS)
        rows.writerows(
            (*(Path(os.path.relpath(image, path.parent)).as_posix() for image in pair[:2]), int(pair[2]))
            for pair in pairs
        )
