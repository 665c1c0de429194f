"""FER2013's CSV: 48x48 grey faces and which of seven expressions they show."""

from __future__ import annotations

import csv
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from plugins.errors import KpstraError

SIDE = 48
EXPRESSIONS = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")
USAGES = ("Training", "PublicTest", "PrivateTest")
COLUMNS = ("emotion", "pixels", "Usage")


class Expressions(NamedTuple):
    """Pixels (N, 48, 48) uint8, labels (N,) into :data:`EXPRESSIONS`, and what each image is for, of :data:`USAGES`."""

    pixels: np.ndarray
    labels: np.ndarray
    usages: list[str]


@lru_cache(maxsize=4)
def read_expressions(path: str) -> Expressions:
    """Read ``fer2013.csv``.

    Raises:
        KpstraError: not such a CSV; names the line.

    Example:
        >>> read_expressions("fer2013/fer2013.csv").pixels.shape
        (35887, 48, 48)
    """
    pixels, labels, usages = [], [], []
    try:
        with open(path, encoding="utf-8-sig", newline="") as stream:
            reader = csv.DictReader(stream, skipinitialspace=True)
            if missing := [column for column in COLUMNS if column not in (reader.fieldnames or ())]:
                raise KpstraError(f"{path}: line 1: no column {', '.join(missing)}; expected {','.join(COLUMNS)}")
            for row in reader:
                where = f"{path}: line {reader.line_num}"
                pixels.append(_pixels(row["pixels"] or "", where))
                labels.append(_number(row["emotion"], where))
                usages.append((row["Usage"] or "").strip())
                if usages[-1] not in USAGES:
                    raise KpstraError(f"{where}: Usage: {usages[-1]!r:.40} is not one of {', '.join(USAGES)}")
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise KpstraError(f"{path}: not readable as CSV in UTF-8: {error}") from error
    if not pixels:
        raise KpstraError(f"{path}: no images; expected a line for each")
    return Expressions(np.stack(pixels), np.array(labels), usages)


def _pixels(text: str, where: str) -> np.ndarray:
    try:
        values = np.array(text.split(), np.int64)
    except (ValueError, OverflowError) as error:
        raise KpstraError(f"{where}: pixels: expected whole numbers from 0 to 255") from error
    if values.size != SIDE * SIDE or values.min() < 0 or values.max() > 255:
        raise KpstraError(f"{where}: pixels: {values.size} values: expected {SIDE}x{SIDE} whole numbers from 0 to 255")
    return values.astype(np.uint8).reshape(SIDE, SIDE)


def _number(text: str | None, where: str) -> int:
    if (text or "").strip() not in map(str, range(len(EXPRESSIONS))):
        raise KpstraError(f"{where}: emotion: {text!r:.40}: expected 0 to {len(EXPRESSIONS) - 1}")
    return int(text)
