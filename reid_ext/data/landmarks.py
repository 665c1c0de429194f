"""Landmarks of a folder's images, found by the detector, in a file that ``data.keypoints`` takes."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torchvision.transforms.functional import to_tensor
from tqdm import tqdm

from plugins.common import checkpoints
from plugins.common.devices import usable
from plugins.common.folders import claim, scratch
from plugins.common.numerics import require_finite
from plugins.errors import KpstraError, some
from plugins.keypoints import read, write
from plugins.landmarks import Detection, LandmarkDetector
from plugins.landmarks.align import ALIGNED as SIDE
from plugins.landmarks.detector import align_found, in_image, network_input

from .crop_files import draw_crops, images_below
from .images import read_image
from .keypoints import CropKeypoints

RECORD, LANDMARKS, SHEET = "landmarks.json", "landmarks.npz", "landmarks.png"
ALIGNED, ALIGNED_LANDMARKS = "aligned", "aligned.npz"
KEPT = 4096  # images after which what was found is written
SUSPECT = 0.5  # scores below are told
SMALLEST = 1e-6  # score: 0 would be an absent landmark


def load_detector(weights: Path) -> LandmarkDetector:
    """Return the detector with the authors' weights, in evaluation mode.

    Raises:
        KpstraError: no such file, or not the detector's weights.
    """
    detector = LandmarkDetector().eval()
    state = checkpoints.read(weights)
    try:
        detector.load_reference(state.get("state_dict", state))
    except KpstraError as error:
        raise KpstraError(f"{weights}: {error}") from error
    require_finite(detector.state_dict().items(), str(weights))
    return detector


def find_landmarks(
    folder: Path,
    weights: Path,
    output: Path,
    padding: float = 0.0,
    align: bool = False,
    batch: int = 64,
    device: str = "auto",
) -> Iterator[str]:
    """Write the landmarks of all images below ``folder``, and a picture of some; yield the report.

    Args:
        folder: of the images, each with one face.
        weights: the authors' file.
        output: a new folder, or one to continue: images that have landmarks there are passed over.
        padding: of the detector.
        align: write every face at 112x112 too, below ``aligned``, and its landmarks in ``aligned.npz``.
        batch: images at a time.
        device: ``auto``, or torch's name of one.

    Raises:
        KpstraError: no images, wrong weights or settings, or an output that holds something else or lies in ``folder``.
    """
    if batch < 1:
        raise KpstraError(f"--batch {batch}: expected 1 or more")
    if not 0 <= padding <= 10:
        raise KpstraError(f"--padding {padding}: expected a share of the side, 0 to 10")
    images = [Path(image) for image in images_below(folder, "")]
    if output.resolve().is_relative_to(folder.resolve()):
        raise KpstraError(f"--output {output}: lies in {folder}, whose images are read; give a folder elsewhere")
    crops = crop_names(images, folder) if align else {}
    detector = load_detector(weights).to(usable(device))
    settings = {
        "images": str(folder.resolve()),
        "weights": hashlib.sha256(weights.expanduser().read_bytes()).hexdigest(),
        "padding": padding,
        "align": align,
    }
    with claim(output, settings, record=RECORD, alone=True), scratch(output) as partial:
        found = _Found.read(output, align)
        names = {image: image.relative_to(folder).as_posix() for image in images}
        missing = [image for image in images if names[image] not in found.landmarks]
        bar = tqdm(total=len(images), initial=len(images) - len(missing), desc="landmarks", unit="image", disable=None)
        try:
            with bar:
                for start in range(0, len(missing), batch):
                    part = missing[start : start + batch]
                    for image, face in _batch(detector, part, padding, align, found.unreadable):
                        if align:
                            _put(face.picture, partial / "face.png", output / ALIGNED / crops[image])
                            found.aligned[crops[image]] = face.aligned
                        found.landmarks[names[image]] = face.landmarks
                    if (start + batch) // KEPT > start // KEPT:
                        found.write(output, align)
                    bar.update(len(part))
        finally:  # also of a run that is stopped, or ends at one of the images
            found.write(output, align)
        yield from _report(found, images, names, output, align)


def crop_names(images: list[Path], folder: Path) -> dict[Path, str]:
    """Return the names of the aligned faces, PNG files in the same folders.

    Raises:
        KpstraError: two images that differ in their suffix alone.
    """
    names: dict[str, Path] = {}
    for image in images:
        name = image.relative_to(folder).with_suffix(".png").as_posix()
        if name in names:
            raise KpstraError(f"--align: {names[name]} and {image} would both be {ALIGNED}/{name}; rename one")
        names[name] = image
    return {image: name for name, image in names.items()}


@dataclass
class _Found:
    """Landmarks (5, 3) by image, those on the aligned faces, and what could not be read."""

    landmarks: dict[str, np.ndarray] = field(default_factory=dict)
    aligned: dict[str, np.ndarray] = field(default_factory=dict)
    unreadable: list[str] = field(default_factory=list)

    @classmethod
    def read(cls, output: Path, align: bool) -> _Found:
        """Read what an earlier run wrote, if there was one."""
        files = [output / LANDMARKS, *([output / ALIGNED_LANDMARKS] if align else [])]
        return cls(*(read(file) for file in files)) if all(file.is_file() for file in files) else cls()

    def write(self, output: Path, align: bool) -> None:
        """Write the files, the one that says what is done last."""
        if align and self.aligned:
            write(output / ALIGNED_LANDMARKS, self.aligned)
        if self.landmarks:
            write(output / LANDMARKS, self.landmarks)


@dataclass(frozen=True)
class _Face:
    landmarks: np.ndarray  # (5, 3) in pixels of the image
    aligned: np.ndarray | None  # (5, 3) in pixels of the aligned face
    picture: np.ndarray | None  # (112, 112, 3) uint8 RGB


@torch.inference_mode()
def _batch(
    detector: LandmarkDetector, images: list[Path], padding: float, align: bool, unreadable: list[str]
) -> Iterator[tuple[Path, _Face]]:
    """Yield the readable images of a batch with what is found on them."""
    device, inputs, sizes = detector.priors.device, [], {}
    for image in images:
        try:
            picture = read_image(str(image))
        except KpstraError as error:
            unreadable.append(str(error))
            continue
        inputs.append(network_input(to_tensor(picture)[None].to(device) * 2 - 1, padding))
        sizes[image] = (picture.height, picture.width)
    if not inputs:
        return
    inputs = torch.cat(inputs)
    found = detector.find(inputs)
    faces = _aligned(inputs, found, list(sizes)) if align else [(None, None)] * len(sizes)
    for row, ((image, size), (points, picture)) in enumerate(zip(sizes.items(), faces, strict=True)):
        shares = in_image(found.landmarks[row : row + 1], size, padding)[0]
        yield image, _Face(_pixels(shares, size, found.score[row]), points, picture)


def _aligned(inputs: Tensor, found: Detection, images: list[Path]) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield landmarks and picture of each aligned face; raise :class:`KpstraError` at the first that cannot be."""
    try:
        aligned = align_found(inputs, found)
    except KpstraError as error:
        if len(images) == 1:
            raise KpstraError(f"{images[0]}: {error}; take the image away, or leave out --align") from error
        for row, image in enumerate(images):
            here = slice(row, row + 1)
            yield from _aligned(inputs[here], Detection(*(values[here] for values in found)), [image])
        return
    pictures = ((aligned.images + 1) * 127.5).round().clamp(0, 255).byte().movedim(1, -1).cpu().numpy()
    for points, score, picture in zip(aligned.landmarks, aligned.score, pictures, strict=True):
        yield _pixels(points, (SIDE, SIDE), score), picture


def _pixels(shares: Tensor, size: tuple[int, int], score: Tensor) -> np.ndarray:
    """Landmarks (5, 3): a share s of a side of W pixels is s W."""
    points = shares.double().cpu().numpy() * (size[1], size[0])
    return np.concatenate([points, np.full((5, 1), max(float(score), SMALLEST))], 1)


def _put(picture: np.ndarray, partial: Path, path: Path) -> None:
    """Write a picture, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(picture).save(partial)
    os.replace(partial, path)


def _report(found: _Found, images: list[Path], names: dict[Path, str], output: Path, align: bool) -> Iterator[str]:
    there = [image for image in images if names[image] in found.landmarks]
    yield f"{len(there):,} of {len(images):,} images have landmarks"
    if found.unreadable:
        yield f"{len(found.unreadable):,} images cannot be read: {some(found.unreadable, separator='; ')}"
    if not there:
        raise KpstraError(f"{output}: no image could be read; nothing to write")
    scores = {image: found.landmarks[names[image]][0, 2] for image in there}
    low = [f"{names[image]} ({score:.2f})" for image, score in scores.items() if score < SUSPECT]
    if low:
        yield f"{len(low):,} have a score below {SUSPECT}, perhaps no face: {some(low)}"
    draw_crops(CropKeypoints({str(i): found.landmarks[names[i]] for i in there}), [*map(str, there)], output / SHEET)
    yield f"Picture: {output / SHEET}"
    if align:
        yield f"Aligned faces: {output / ALIGNED}, their landmarks {output / ALIGNED_LANDMARKS}"
    yield f"Landmarks: {output / LANDMARKS}; use it with data.keypoints {output / LANDMARKS}"
