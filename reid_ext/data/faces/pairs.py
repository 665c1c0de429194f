"""Pairs of faces for verification: InsightFace's ``.bin``, read without running code from it."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from plugins.common.unpickling import Array, ArrayUnpickler
from plugins.errors import KpstraError


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
