"""Keypoints for torchreid's data manager: read once, found by image, moved with it through the host's transforms."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any
from unittest.mock import patch

import numpy as np
import torch
from PIL import Image
from tqdm import tqdm

from plugins.errors import KpstraError, some
from plugins.keypoints import read
from plugins.keypoints.crops import joints_on_crops, warnings_of
from plugins.keypoints.matching import ImageIndex

from ..host import torchreid
from .faces.containers import open_image
from .placement import TrackedTransform

LOOKED_AT = 512  # images


class CropKeypoints:
    """Keypoints (17, 3) by the path of an image, x, y in its pixels and score from 0 to 1.

    An image without any has zeros: the confidence of all its joints is 0.
    """

    def __init__(self, people: Mapping[str, np.ndarray]) -> None:
        shape = next(iter(people.values())).shape
        self._joints = np.stack([*people.values(), np.zeros(shape)]).astype(np.float32)
        self._row = {image: row for row, image in enumerate(people)}

    def __getitem__(self, image: str) -> np.ndarray:
        joints = self.as_read(image)
        return np.concatenate((joints[:, :2], joints[:, 2:].clip(0, 1)), 1)

    def as_read(self, image: str) -> np.ndarray:
        """Return the keypoints of an image with the scores that were read, which may lie above 1."""
        return self._joints[self._row.get(image, -1)]

    def __contains__(self, image: str) -> bool:
        return bool(self[image][:, 2].any())


def find_keypoints(path: str, images: Iterable[str], key: str, format: str | None = None) -> dict[str, np.ndarray]:
    """Return the keypoints of images from a file or a folder, by the paths of the images.

    Args:
        path: anything that :func:`plugins.keypoints.read` reads.
        images: paths of the images.
        key: the setting or option that names ``path``.
        format: of the files.

    Raises:
        KpstraError: unreadable keypoints, or none of these images.
    """
    index = ImageIndex(images)

    def size(name: str) -> tuple[int, int] | None:
        image = index.find(name)
        return image and size_of(image)

    def progress(files: list) -> Iterable:
        return tqdm(files, desc="Reading keypoints", unit="file", disable=True if len(files) == 1 else None)

    try:
        with warnings.catch_warnings(record=True) as notes:
            warnings.simplefilter("always")
            people = read(path, format, size, progress)
        for note in notes:
            print(f"Note: {note.message}")
        found: dict[str, np.ndarray] = {}
        for name, joints in people.items():
            image = index.find(name)
            if image and not np.array_equal(found.setdefault(image, joints), joints):
                raise KpstraError(f"{path}: {image}: two names with other keypoints, the second {name!r}")
    except KpstraError as error:
        raise KpstraError(f"{key}: {error}") from error
    if not found:
        raise KpstraError(
            f"{key}: {path}: no keypoints of the images: they are named as {next(iter(people), 'nothing')!r}, and an "
            f"image is {index.images[0]!r}; names must be the ends of the images' paths"
        )
    return found


def size_of(image: str) -> tuple[int, int]:
    """Return height and width of an image file.

    Raises:
        KpstraError: it cannot be read.
    """
    try:
        with open_image(image) as opened:
            return opened.height, opened.width
    except (OSError, SyntaxError, ValueError) as error:
        raise KpstraError(f"{image}: not a readable image ({error}); replace the file or remove it") from error


def describe(keypoints: CropKeypoints, images: Iterable[str], most: int = LOOKED_AT) -> list[str]:
    """Return what to say about keypoints: images without, joints on the crop, and warnings.

    Args:
        images: all of them; at most ``most``, evenly spread, are looked at for where their joints lie.
    """
    images = list(dict.fromkeys(images))
    there = [image for image in images if image in keypoints]
    without = [image for image in images if image not in keypoints]
    lines = [f"{len(there):,} of {len(images):,} images have keypoints"]
    if without:
        lines[0] += f"; {len(without):,} have none and get confidence 0: {some(without, 2)}"
    looked = there[:: -(-len(there) // most)] if there else []
    if looked:
        bar = tqdm(looked, desc="Reading sizes", unit="image", disable=True if len(looked) <= LOOKED_AT else None)
        joints, sizes = np.stack([keypoints.as_read(image) for image in looked]), np.array([*map(size_of, bar)])
        on, sure = joints_on_crops(joints, sizes)
        lines.append(f"{on:,} of {sure:,} confident joints lie on their crop ({len(looked):,} crops looked at)")
        lines += [f"Warning: {text}" for text in warnings_of(joints, sizes)]
    return lines


class WithKeypoints:
    """Mixed into a class of the host's data sets: its samples gain ``keypoints``.

    (17, 3) in pixels of the image as the network gets it, and score; (frames, 17, 3) for a video data set.
    """

    keypoints: CropKeypoints

    def __getitem__(self, index: int) -> dict[str, Any]:
        module = torchreid.data.datasets.dataset
        read_image, paths = module.read_image, []

        def noted(path: str) -> Image.Image:
            paths.append(path)
            return read_image(path)

        self.transform.places.clear()
        with patch.object(module, "read_image", noted):
            item = super().__getitem__(index)
        moved = [place.move(self.keypoints[p]) for p, place in zip(paths, self.transform.places, strict=True)]
        joints = torch.from_numpy(np.stack(moved).astype(np.float32))
        item["keypoints"] = joints if item["img"].ndim == 4 else joints[0]
        return item

    def __reduce__(self):
        return _restored, (type(self).__mro__[2], self.__dict__)


@cache
def _with_keypoints(kind: type) -> type:
    return type(kind.__name__, (WithKeypoints, kind), {})


def _restored(kind: type, state: dict[str, Any]) -> WithKeypoints:
    """A data set in a worker process that was not forked."""
    dataset = _with_keypoints(kind).__new__(_with_keypoints(kind))
    dataset.__dict__.update(state)
    return dataset


def give_keypoints(dataset: Any, keypoints: CropKeypoints) -> None:
    """Let the samples of one of the host's data sets, an instance, have ``keypoints`` from now on.

    Raises:
        KpstraError: a transform that keypoints cannot follow, or several draws of an image (``k_tfm``).
    """
    if dataset.k_tfm > 1:
        raise KpstraError(f"data.k_tfm: {dataset.k_tfm}: keypoints follow one draw of an image")
    dataset.transform, dataset.keypoints = TrackedTransform(dataset.transform), keypoints
    dataset.__class__ = _with_keypoints(type(dataset))


def images_of(dataset: Any) -> list[str]:
    """Return the paths of a data set's images, or of all frames of its tracklets."""
    return [path for item in dataset.data for path in ([item[0]] if isinstance(item[0], str) else item[0])]


def attach_keypoints(datamanager: Any, sources: str = "", targets: str = "") -> None:
    """Let the loaders of a torchreid data manager give ``keypoints``; print what there is and what is wrong.

    Args:
        sources, targets: a keypoint file or folder for the training images, and for query and gallery images.

    Raises:
        KpstraError: unreadable keypoints, or none of the images.

    Example:
        >>> attach_keypoints(datamanager, sources="market.npz", targets="market.npz")
        >>> next(iter(datamanager.train_loader))["keypoints"].shape
        torch.Size([32, 17, 3])
    """
    tested = [loader.dataset for splits in datamanager.test_loader.values() for loader in splits.values()]
    if (unlabelled := getattr(datamanager, "train_loader_t", None)) is not None:
        tested.append(unlabelled.dataset)
    datasets = {"sources": [datamanager.train_loader.dataset], "targets": tested}
    images = {key: [image for dataset in datasets[key] for image in images_of(dataset)] for key in datasets}
    paths = {key: path for key, path in (("sources", sources), ("targets", targets)) if path}
    for path in dict.fromkeys(paths.values()):
        keys = [key for key in paths if paths[key] == path]
        name = f"data.keypoints ({', '.join(keys)})"
        keypoints = CropKeypoints(find_keypoints(path, [image for key in keys for image in images[key]], name))
        for key in keys:
            if not any(image in keypoints for image in images[key]):
                raise KpstraError(
                    f"{name}: {path}: has keypoints of none of the {len(images[key])} images of data.{key}"
                )
            print(f"Keypoints of data.{key} from {path}: " + "\n  ".join(describe(keypoints, images[key])))
            for dataset in datasets[key]:
                give_keypoints(dataset, keypoints)
