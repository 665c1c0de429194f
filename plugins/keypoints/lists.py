"""Text files: Ultralytics' labels of an image, and lists of faces (CelebA, WIDER FACE, InsightFace)."""

from __future__ import annotations

import re

import numpy as np

from ..errors import KpstraError
from .joints import FIVE_POINTS, JOINTS
from .values import (
    SHARES,
    Poses,
    Source,
    add,
    best,
    body,
    face,
    nobody,
    numbers,
    scored,
    without_absent,
    without_common_folder,
)

BOX = 5  # class, and the box, of a line of labels
FACE_LINE = (19, 20)  # box and five times x, y, flag; a last number in files to train on


def is_labels(lines: list[str]) -> bool:
    """Lines of numbers only: a class, a box, joints, all shares of the image."""
    return all(_values(line) and len(_values(line)) >= BOX + 2 * JOINTS for line in lines)


def labels(lines: list[str], source: Source) -> Poses:
    """Parse one image's people; the one of the highest box confidence counts, where it is written.

    Raises:
        KpstraError: other numbers of values, or several people with a track and no confidence.
    """
    people, scores, tracked = [], [], 0
    for number, line in enumerate(lines, 1):
        where = f"{source.path}: line {number}"
        values = numbers(_values(line)[BOX:], where)
        wide = 3 if len(values) >= 3 * JOINTS else 2
        extra = len(values) - wide * JOINTS  # the box's confidence, the track
        if extra not in (0, 1, 2):
            raise KpstraError(f"{where}: {len(values) + BOX} values: expected a class, a box and {JOINTS} joints")
        joints = values[: wide * JOINTS].reshape(JOINTS, wide)
        people.append(body(joints if wide == 3 else scored(joints), where))
        scores.append(float(values[wide * JOINTS]) if extra else 0.0)
        tracked += extra == 1 and scores[-1] >= 1 and scores[-1].is_integer()
    if tracked == len(people) > 1:
        raise KpstraError(
            f"{source.path}: {len(people)} people, each with a whole number behind its joints, which is a track and no "
            "confidence: which one is meant is not known; write the labels with save_conf=True too"
        )
    name = source.name(source.path.stem)
    return Poses({name: best(people, scores) if people else nobody()}, SHARES)


def is_celeba(lines: list[str]) -> bool:
    """A count, names of columns, then a line for each image."""
    return len(lines) > 1 and lines[0].strip().isdigit() and lines[1].split()[:1] == ["lefteye_x"]


def celeba(lines: list[str], source: Source) -> Poses:
    """Parse five points of each image, pixels of the aligned one."""
    people = _faces(lines[2:], source, 3, lambda cells: (cells[0], cells[1:]))
    if int(lines[0]) != len(people):
        raise KpstraError(f"{source.path}: {len(people)} images, but the first line says {lines[0].strip()}; it is cut")
    return Poses(people)


def is_named_faces(lines: list[str]) -> bool:
    """``name x y x y ... score``, a line for each image, as InsightFace's lists for IJB."""
    return all(re.fullmatch(r"\S+\.\w+( \S+){11}", line.strip()) for line in lines)


def named_faces(lines: list[str], source: Source) -> Poses:
    """Parse five points of each image."""
    return Poses(_faces(lines, source, 1, lambda cells: (cells[0], cells[1:11])))


def is_insightface(lines: list[str]) -> bool:
    """InsightFace's ``.lst``: aligned or not, path, label, a box, then five x and five y, between tabs."""
    return all(len(line.rstrip("\n").split("\t")) == 17 for line in lines)


def insightface(lines: list[str], source: Source) -> Poses:
    """Parse five points of each image; names begin below the folder that all images are in."""
    return Poses(without_common_folder(_faces(lines, source, 1, lambda cells: (cells[1], cells[7:17]), rows=True)))


def _faces(lines: list[str], source: Source, first: int, take, rows: bool = False) -> dict[str, np.ndarray]:
    people: dict[str, np.ndarray] = {}
    for number, line in enumerate(lines, first):
        where = f"{source.path}: line {number}"
        name, cells = take(line.split("\t") if rows else line.split())
        points = numbers(_values(" ".join(cells)), where)
        points = points.reshape(2, FIVE_POINTS).T if rows and points.size == 10 else points
        add(people, source.name(name), face(points, where), where)
    return people


def is_widerface(lines: list[str]) -> bool:
    """RetinaFace's ``label.txt``: ``# path``, then a line for each face."""
    return bool(lines) and lines[0].startswith("# ")


def widerface(lines: list[str], source: Source) -> Poses:
    """Parse faces as ``path#0``, ``path#1``: five points, the third number of each a flag of unknown meaning."""
    people, image, number = {}, "", 0
    for count, line in enumerate(lines, 1):
        if line.startswith("# "):
            image, number = source.name(line[2:].strip()), 0
            continue
        values = numbers(_values(line), f"{source.path}: line {count}")
        if len(values) == 4:  # a box alone
            points = np.zeros((FIVE_POINTS, 3))
        elif len(values) in FACE_LINE:
            points = without_absent(scored(values[4:19].reshape(FIVE_POINTS, 3)[:, :2]))
        else:
            raise KpstraError(f"{source.path}: line {count}: {len(values)} values: expected 4, 19 or 20")
        add(people, f"{image}#{number}", points, f"{source.path}: line {count}")
        number += 1
    return Poses(people)


def _values(line: str) -> list[float]:
    """Numbers of a line between spaces; none if something else is there."""
    try:
        return [float(cell) for cell in line.split()]
    except ValueError:
        return []
