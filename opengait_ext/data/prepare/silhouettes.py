"""One silhouette: OpenGait's normalisation to a fixed height, and the map that takes points of the raw image along."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from .files import read_bytes

MIN_SUM = 10000  # OpenGait's threshold on the raw image's pixel sum
OPEN = 128  # the least value of a person's pixel
OTHER = 0.05  # share of pixels in which alpha and colours may differ
PNG_START, PNG_END = b"\x89PNG\r\n\x1a\n", b"IEND\xaeB`\x82"


class Dropped(Exception):
    """The frame cannot be used; its one argument is the rule's name in :data:`FRAME_RULES`."""


FRAME_RULES = {
    "unreadable": "image unreadable or truncated",
    "nearly_empty": f"pixel sum of at most {MIN_SUM}",
    "no_centre": "no x-centre: half of the sum lies in the first column, or nothing is left after resizing",
}


class Placement(NamedTuple):
    """``x' = scale_x * x + offset_x``, in y alike: pixels of the raw image to pixels of the prepared one."""

    scale_x: float
    scale_y: float
    offset_x: float
    offset_y: float


def read_silhouette(path: str | Path) -> np.ndarray:
    """Read a grey image (h, w) uint8.

    Raises:
        Dropped: unreadable, or a PNG without its end (some versions of OpenCV decode a part of it without a word).
    """
    try:
        data = read_bytes(path)
    except OSError:
        raise Dropped("unreadable") from None
    if not data or (data.startswith(PNG_START) and PNG_END not in data[-64:] and PNG_END not in data):
        raise Dropped("unreadable")
    try:
        image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_GRAYSCALE)
    except cv2.error:
        image = None
    if image is None:
        raise Dropped("unreadable")
    return image


def mask_in_alpha(path: str | Path) -> bool:
    """Whether a picture's person is in its alpha channel, which is not read, and not in its colours."""
    image = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    if image is None or image.ndim != 3 or image.shape[2] != 4 or image[..., 3].min() == image[..., 3].max():
        return False
    return bool(((image[..., 3] >= OPEN) != (image[..., :3].mean(2) >= OPEN)).mean() > OTHER)


def align_silhouette(image: np.ndarray, out: np.ndarray) -> Placement:
    """Write ``image`` as OpenGait's ``pretreatment.py`` normalises it into ``out``; return where points go.

    Rows above and below the person are cut, the rest is resized to the height S, and S/2 columns to each side of the
    column that holds the median of the mass are kept; what lies beyond the image is zero.

    Args:
        image: (h, w) uint8, the raw silhouette.
        out: (S, S) uint8, S even.

    Raises:
        Dropped: by one of :data:`FRAME_RULES`.
    """
    size = len(out)
    if cv2.sumElems(image)[0] <= MIN_SUM:
        raise Dropped("nearly_empty")
    _, top, _, height = cv2.boundingRect(image)
    width = image.shape[1]
    new_width = int(size * (width / height))  # in this order: OpenGait's rounding
    if new_width == 0:
        raise Dropped("no_centre")
    image = cv2.resize(image[top : top + height], (new_width, size), interpolation=cv2.INTER_CUBIC)

    centre = middle_column(image)
    if not 0 < centre < new_width:
        raise Dropped("no_centre")
    left = centre - size // 2
    if left >= 0 and left + size <= new_width:
        out[:] = image[:, left : left + size]
    else:
        start, stop = max(left, 0), min(left + size, new_width)
        out[:] = 0
        out[:, start - left : stop - left] = image[:, start:stop]

    # cv2.resize maps pixel centres: x' + 1/2 = (x + 1/2) * scale
    scale_x, scale_y = new_width / width, size / height
    return Placement(scale_x, scale_y, 0.5 * scale_x - 0.5 - left, (0.5 - top) * scale_y - 0.5)


def middle_column(image: np.ndarray) -> int:
    """Return the column that holds the median of the mass: the first whose cumulated sum exceeds one half."""
    mass = cv2.reduce(image, 0, cv2.REDUCE_SUM, dtype=cv2.CV_32S)[0].cumsum()
    return int(mass.searchsorted(mass[-1] // 2, side="right"))
