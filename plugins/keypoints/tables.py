"""CSV tables: SapiensID, CVLface, and columns that name the joints."""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from ..errors import KpstraError
from .joints import COCO17
from .values import SHARES, SQUARE, Poses, Size, Source, add, body, face, numbers

NAMES = ("path", "image_name", "image", "file_name", "name")  # the column that names the image
SCORES = ("conf", "score", "confidence", "visibility")
ALIGNED: Size = (112, 112)  # CVLface's images
Row = Mapping[str, str]


def is_sapiensid(columns: Sequence[str]) -> bool:
    """``path, kp_0_x, kp_0_y, ...``: shares of the image padded to a square, without scores."""
    return {"path", "kp_0_x", "kp_0_y"} <= {*columns} and "kp_0_score" not in columns


def sapiensid(path: Path, source: Source) -> Poses:
    """Read a table of SapiensID; ``shapes.csv`` beside it tells the sizes."""
    people, shapes, sizes = {}, path.with_name("shapes.csv"), {}
    for where, row in _rows(path):
        x, y = ([_cell(row, f"kp_{i}_{axis}", where) for i in range(_joints(row))] for axis in "xy")
        add(people, source.name(row["path"]), body(np.stack([x, y, np.ones(len(x))], 1), where), where)
    if shapes.is_file():
        for where, row in _rows(shapes):
            if not {"path", "height", "width"} <= {*row}:
                raise KpstraError(f"{where}: expected the columns path, height and width")
            size = tuple(round(float(_cell(row, side, where))) for side in ("height", "width"))
            if min(size) <= 0:
                raise KpstraError(f"{where}: a size of {size}")
            sizes[source.name(row["path"])] = size
    return Poses(people, SQUARE, sizes)


def _joints(row: Row) -> int:
    return sum(bool(re.fullmatch(r"kp_\d+_x", column)) for column in row)


def is_cvlface(columns: Sequence[str]) -> bool:
    """``idx, ldmk_0, ..., ldmk_9``: shares of the aligned image; fifteen columns have scores."""
    return {"idx", "ldmk_0", "ldmk_9"} <= {*columns}


def cvlface(path: Path, source: Source) -> Poses:
    """Read five points; the key is the row's ``idx``, which is no key of a record."""
    people = {}
    for where, row in _rows(path):
        columns = sorted((c for c in row if re.fullmatch(r"ldmk_\d+", c)), key=lambda column: int(column[5:]))
        add(people, source.name(row["idx"]), face([_cell(row, column, where) for column in columns], where), where)
    return Poses(people, SHARES, dict.fromkeys(people, ALIGNED))


def is_named(columns: Sequence[str]) -> bool:
    """A column of names, and ``nose_x, nose_y, ...`` of all of COCO's 17."""
    return bool({*NAMES} & {*columns}) and {f"{joint}_{axis}" for joint in COCO17 for axis in "xy"} <= {*columns}


def named(path: Path, source: Source) -> Poses:
    """Read joints by the names of their columns; without a column such as ``nose_conf`` the score is 1."""
    people = {}
    for where, row in _rows(path):
        name = next(row[column] for column in NAMES if column in row)
        score = next((score for score in SCORES if f"nose_{score}" in row), None)
        columns = [np.array([_cell(row, f"{joint}_{axis}", where) for joint in COCO17]) for axis in "xy"]
        columns += [np.array([_cell(row, f"{j}_{score}", where) for j in COCO17]) if score else np.ones(len(COCO17))]
        add(people, source.name(name), body(np.stack(columns, 1), where), where)
    return Poses(people)


def is_shapes(columns: Sequence[str]) -> bool:
    """Sizes of images, which belong to another table."""
    return {"path", "height", "width"} <= {*columns} and not any(column.startswith("kp_") for column in columns)


def columns_of(path: Path) -> list[str]:
    """Return the names of a table's columns.

    Raises:
        KpstraError: not CSV in UTF-8.
    """
    return _read(path, lambda reader: [column.strip() for column in reader.fieldnames or ()])


def _rows(path: Path) -> Iterator[tuple[str, Row]]:
    """Yield every row with where it is.

    Raises:
        KpstraError: a row with too few or too many cells.
    """
    columns = columns_of(path)
    for line, row in _read(path, lambda reader: [(reader.line_num, cells) for cells in reader]):
        cells = list(row.values())
        if None in cells or None in row:
            raise KpstraError(f"{path}: line {line}: expected {len(columns)} cells, as the first line has")
        yield f"{path}: line {line}", dict(zip(columns, cells, strict=True))


def _read(path: Path, take: Callable) -> list:
    try:
        with open(path, encoding="utf-8-sig", newline="") as stream:
            return take(csv.DictReader(stream, skipinitialspace=True))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise KpstraError(f"{path}: not readable as CSV in UTF-8: {error}") from error


def _cell(row: Row, column: str, where: str) -> float:
    """A number of a row; an empty cell is NaN, an absent joint."""
    text = row.get(column)
    if text is None:
        raise KpstraError(f"{where}: no column {column}")
    try:
        return float(numbers(float(text) if text.strip() else math.nan, f"{where}: {column}"))
    except ValueError as error:
        raise KpstraError(f"{where}: {column}: {text!r:.40}: expected a number") from error
