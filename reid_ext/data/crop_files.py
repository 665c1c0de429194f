"""Keypoints of a folder of images, converted once into one compact file, with a picture to look at."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from plugins.common.files import require_writable
from plugins.errors import KpstraError
from plugins.keypoints import write
from plugins.keypoints.compact import SUFFIX
from plugins.pictures.sheet import draw_sheet

from .images import read_image
from .keypoints import CropKeypoints, describe, find_keypoints

SUFFIXES = (".jpg", ".jpeg", ".png", ".tif", ".tiff", ".bmp")
SHOWN = 24  # crops in the picture
HEIGHT = 256  # of a crop in the picture, at least nearly


def images_below(folder: Path, option: str = "--images ") -> list[str]:
    """Return the image files of a folder and of those in it, in the order of their names.

    Args:
        folder: of the images.
        option: what names the folder, before its path in messages.

    Raises:
        KpstraError: no such folder, or no images.
    """
    if not folder.is_dir():
        raise KpstraError(f"{option}{folder}: no such folder")
    images = sorted(str(path) for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES)
    if not images:
        raise KpstraError(f"{option}{folder}: no {', '.join(SUFFIXES)} file in it")
    return images


def convert(
    keypoints: str, folder: Path, output: Path, sheet: Path | None = None, format: str | None = None
) -> Iterator[str]:
    """Write the keypoints of all images that have some, named as the images lie below ``folder``; yield the report.

    Args:
        keypoints: a file or folder of any format that :func:`plugins.keypoints.read` knows.
        folder: of the images.
        output: the file to write.
        sheet: the picture; by default beside ``output``.
        format: of the keypoint files; ``None`` tells it by their content.

    Raises:
        KpstraError: unreadable keypoints or images, none that fit, or a file that cannot be written.
    """
    sheet = sheet or output.with_suffix(".png")
    if output.suffix != SUFFIX:
        raise KpstraError(f"--output {output}: expected a name that ends in {SUFFIX}")
    for path in (output, sheet):
        require_writable(path)
    images = images_below(folder)
    found = find_keypoints(keypoints, images, "keypoints", format)
    write(output, {Path(image).relative_to(folder).as_posix(): found[image] for image in images if image in found})
    crops = CropKeypoints(found)
    yield from describe(crops, images, len(images))
    there = [image for image in images if image in crops]
    if there:
        draw_crops(crops, there, sheet)
        yield f"Picture: {sheet}"
    yield f"Keypoints: {output}; use it with data.keypoints {output}"


def draw_crops(keypoints: CropKeypoints, images: list[str], path: Path) -> None:
    """Draw some of the images, evenly spread, with their joints.

    Raises:
        KpstraError: an image that cannot be read, or the picture cannot be written.
    """
    shown = images[:: -(-len(images) // SHOWN)]
    frames = [(Path(image).name, np.asarray(read_image(image)), keypoints[image]) for image in shown]
    highest = max(picture.shape[0] for _, picture, _ in frames)
    draw_sheet(frames, path, columns=8, scale=max(1, round(HEIGHT / highest)))
