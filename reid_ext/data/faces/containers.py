"""Images that lie in one file, by paths such as ``train.rec/17``: the file, and the image's row in it, from 0."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import PurePath

import numpy as np
from PIL import Image

from plugins.errors import KpstraError

from .expressions import read_expressions
from .pairs import read_bin
from .records import open_records


def _record(file: str, row: int) -> bytes:
    records = open_records(file)
    return records.read(records.image_keys[row]).image


CONTAINERS: dict[str, Callable[[str, int], bytes | np.ndarray]] = {
    ".rec": _record,
    ".bin": lambda file, row: read_bin(file).images[row],
    ".csv": lambda file, row: read_expressions(file).pixels[row],
}


def contained(file: object, row: int) -> str:
    """Return the path of an image in a file."""
    return f"{file}/{row}"


def open_image(path: str) -> Image.Image:
    """Open an image, a file or in one, as ``PIL.Image.open`` does.

    Raises:
        KpstraError: the file around it cannot be read, or has no such row.

    Example:
        >>> open_image("faces_emore/train.rec/17").size
        (112, 112)
    """
    place = PurePath(path)
    read = CONTAINERS.get(place.parent.suffix)
    if read is None or not place.name.isdecimal():
        return Image.open(path)
    try:
        content = read(str(place.parent), int(place.name))
    except IndexError as error:
        raise KpstraError(f"{place.parent}: has no image {place.name}, counted from 0") from error
    return Image.open(io.BytesIO(content)) if isinstance(content, bytes) else Image.fromarray(content)
