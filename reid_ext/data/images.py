"""Reading images: one that cannot be read is named by an error; torchreid alone tries it again for ever."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from contextlib import contextmanager
from unittest.mock import patch

from PIL import Image

from plugins.errors import KpstraError

from ..host import torchreid
from .faces.containers import open_image


def read_image(path: str) -> Image.Image:
    """Return an image in RGB, as the host's function of this name; also one in a file, such as ``train.rec/17``.

    Raises:
        KpstraError: missing, empty, truncated, damaged, of more than 8 bits a channel, or no image.
    """
    try:
        with open_image(path) as image:
            return rgb(image)
    except (OSError, SyntaxError, ValueError, struct.error, Image.DecompressionBombError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise KpstraError(f"{path}: not a readable image ({reason}); replace the file or remove it") from error


def rgb(image: Image.Image) -> Image.Image:
    """Return an image in RGB, as PIL makes it.

    Raises:
        ValueError: of 16 or 32 bits a channel; PIL would cut off all that is above 255.
    """
    if image.mode.startswith(("I", "F")):
        raise ValueError(f"mode {image.mode}: more than 8 bits a channel; save it with 8")
    return image.convert("RGB")


@contextmanager
def reading() -> Iterator[None]:
    """Let the host's data sets read by :func:`read_image`, also in workers that are forked in the block."""
    with patch.object(torchreid.data.datasets.dataset, "read_image", read_image):
        yield


def read_contained() -> None:
    """Let the host's data sets read by :func:`read_image` from now on: their images may lie in one file."""
    torchreid.data.datasets.dataset.read_image = read_image
