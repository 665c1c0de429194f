"""Pairs of faces for verification: InsightFace's ``.bin``, read without running code from it, and a CSV of images."""

from __future__ import annotations

import csv
import math
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from plugins.common.unpickling import Array, ArrayUnpickler
from plugins.errors import KpstraError

COLUMNS = ("first", "second", "same")


class Bin(NamedTuple):
    """Encoded images (bytes) or pixels (H, W, 3), two for each pair; and whether a pair is of one person, (pairs,)."""

    images: list[bytes | np.ndarray]
    same: np.ndarray


@lru_cache(maxsize=16)
def read_bin(path: str) -> Bin:
    """Read a pickle of (images, truth values), of Python 2 or 3; images 2i and 2i + 1 are pair i.

    Raises:
        KpstraError: it cannot be read, it wants code to be run, or it holds other things.

    Example:
        >>> images, same = read_bin("faces_emore/lfw.bin")
        >>> len(images), len(same)
        (12000, 6000)
    """
    expected = "expected a pickle of two lists, encoded images and truth values"
    try:
        with open(path, "rb") as stream:
            content = ArrayUnpickler(stream, encoding="bytes").load()
    except Exception as error:  # a damaged file can fail anywhere in the reader
        reason = " ".join((getattr(error, "strerror", None) or str(error) or type(error).__name__).split())[:200]
        raise KpstraError(f"{path}: not a readable file of pairs: {reason}; {expected}") from error
    if not isinstance(content, (tuple, list)) or len(content) != 2:
        raise KpstraError(f"{path}: {type(content).__name__}: {expected}")
    images, same = (_items(part) for part in content)
    if not same or len(images) != 2 * len(same):
        raise KpstraError(f"{path}: {len(images)} images for {len(same)} pairs; expected two for each")
    if wrong := [i for i, image in enumerate(images) if not _is_image(image)]:
        raise KpstraError(f"{path}: image {wrong[0]}: {_kind(images[wrong[0]])}; {expected}")
    if wrong := [i for i, value in enumerate(same) if isinstance(value, np.ndarray) or value not in (0, 1)]:
        raise KpstraError(f"{path}: pair {wrong[0]}: {_kind(same[wrong[0]])}; {expected}")
    return Bin([_encoded(image) for image in images], np.array(same, bool))


def _items(part: Any) -> list:
    part = part.array if isinstance(part, Array) else part
    listed = isinstance(part, (list, tuple)) or (isinstance(part, np.ndarray) and part.ndim > 0)
    items = list(part) if listed else []
    return [_scalar(item.array if isinstance(item, Array) else item) for item in items]


def _scalar(item: Any) -> Any:
    return item.item() if isinstance(item, np.ndarray) and item.ndim == 0 else item


def _is_image(image: Any) -> bool:
    if isinstance(image, np.ndarray):
        pixels = image.ndim == 3 and image.shape[2] == 3
        return image.dtype == np.uint8 and math.prod(image.shape) > 0 and (image.ndim == 1 or pixels)
    return isinstance(image, (bytes, bytearray)) and len(image) > 0


def _encoded(image: bytes | np.ndarray) -> bytes | np.ndarray:
    return image.tobytes() if isinstance(image, np.ndarray) and image.ndim == 1 else image


def _kind(value: Any) -> str:
    return f"{value.dtype} {value.shape}" if isinstance(value, np.ndarray) else f"{value!r:.60}"


def read_table(path: Path) -> tuple[list[str], np.ndarray]:
    """Read a CSV of the columns ``first``, ``second``, paths from its folder, and ``same``, 1 or 0.

    Returns:
        Paths (2N) in the order of a ``.bin``, and whether a pair is of one person (N,).

    Raises:
        KpstraError: names the first line that is wrong.
    """
    images, same = [], []
    try:
        with open(path, encoding="utf-8-sig", newline="") as stream:
            reader = csv.DictReader(stream, skipinitialspace=True)
            if missing := [column for column in COLUMNS if column not in (reader.fieldnames or ())]:
                raise KpstraError(f"{path}: line 1: no column {', '.join(missing)}; expected {','.join(COLUMNS)}")
            for row in reader:
                pair = [path.parent / (row[column] or "").strip() for column in COLUMNS[:2]]
                if gone := [str(image) for image in pair if not image.is_file()]:
                    raise KpstraError(f"{path}: line {reader.line_num}: {gone[0]}: no such file")
                if (row["same"] or "").strip() not in ("0", "1"):
                    raise KpstraError(f"{path}: line {reader.line_num}: same: {row['same']!r:.40}: expected 1 or 0")
                images += map(str, pair)
                same.append(row["same"].strip() == "1")
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise KpstraError(f"{path}: not readable as CSV in UTF-8: {error}") from error
    return images, np.array(same, bool)


def is_table(path: Path) -> bool:
    """Whether a file is a CSV whose first line begins with :data:`COLUMNS`."""
    if path.suffix != ".csv" or not path.is_file():
        return False
    with open(path, encoding="utf-8-sig", errors="replace") as stream:
        return [cell.strip() for cell in stream.readline().split(",")][:3] == [*COLUMNS]
