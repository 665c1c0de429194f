"""Where the digits come from: MNIST's own files, a file of arrays, or those that scikit-learn brings along."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ...errors import KpstraError

SIDE = 28  # pixels of a digit's frame
INK = 0.2  # brightness from which a pixel belongs to the digit
TEST_PART = 5  # every fifth digit of a source without a split of its own is for the test


class Digits(NamedTuple):
    """Upright digits.

    ``images`` (N, 28, 28) float32 in [0, 1]; ``labels`` (N,) int64; ``corners`` (N, 5, 2) float32: the corners (top
    left, top right, bottom left, bottom right) and the centre of each minimum box, (x, y) in pixels from the frame's
    centre.
    """

    images: Tensor
    labels: Tensor
    corners: Tensor


class Source(NamedTuple):
    """Digits for training and for the test; ``name`` says in words what they are."""

    name: str
    train: Digits
    test: Digits

    def fingerprint(self) -> str:
        """Return a short hash of all pixels and labels."""
        digest = hashlib.sha256()
        for part in (self.train, self.test):
            digest.update(part.images.numpy().tobytes())
            digest.update(part.labels.numpy().tobytes())
        return digest.hexdigest()[:16]


def from_sklearn() -> Source:
    """Return scikit-learn's 1,797 digits of 8x8 pixels, three times as large.

    Raises:
        KpstraError: scikit-learn is not installed.
    """
    try:
        from sklearn.datasets import load_digits
    except ImportError as error:
        raise KpstraError("the bundled digits need scikit-learn: pip install '.[toy]', or give --npz FILE") from error
    small = load_digits()
    images = torch.from_numpy(small.images).float().unsqueeze(1) / 16
    images = F.interpolate(images, scale_factor=3, mode="bicubic").clamp(0, 1)
    images = F.pad(images, [(SIDE - 24) // 2] * 4).squeeze(1)
    return split("scikit-learn's 1,797 digits (8x8)", images, torch.from_numpy(small.target).long())


def from_npz(path: Path) -> Source:
    """Read ``images`` (N, 28, 28) uint8 and ``labels`` (N,) from a file.

    Raises:
        KpstraError: the file is missing or unreadable, or holds something else.
    """
    try:
        with np.load(path) as file:
            images, labels = file["images"], file["labels"]
    except Exception as error:  # a damaged archive can fail anywhere in its reader
        reason = " ".join(f"{type(error).__name__}: {error}".split())[:120]
        raise KpstraError(f"--npz {path}: cannot be read ({reason}); expected the arrays images and labels") from error
    if images.dtype != np.uint8 or images.ndim != 3 or images.shape[1:] != (SIDE, SIDE):
        raise KpstraError(f"--npz {path}: images: {images.dtype} {images.shape}: expected uint8 (N, {SIDE}, {SIDE})")
    if labels.shape != images.shape[:1] or labels.dtype.kind not in "iu" or not np.isin(labels, range(10)).all():
        raise KpstraError(
            f"--npz {path}: labels: {labels.dtype} {labels.shape}: expected {len(images)} whole numbers 0 to 9"
        )
    if len(images) < 2 * TEST_PART:
        raise KpstraError(f"--npz {path}: {len(images)} images: expected {2 * TEST_PART} or more")
    name = f"{len(images):,} digits of {path.name}"
    return split(name, torch.from_numpy(images) / 255, torch.from_numpy(labels.astype(np.int64)))


def from_mnist(root: Path) -> Source:
    """Read MNIST as torchvision keeps it, with its own split; nothing is downloaded.

    Raises:
        KpstraError: torchvision or the files are missing.
    """
    try:
        from torchvision.datasets import MNIST
    except ImportError as error:
        raise KpstraError("--mnist needs torchvision: pip install '.[toy]'") from error
    try:
        train, test = (MNIST(str(root), train=part) for part in (True, False))
    except Exception as error:  # torchvision checks its files with asserts
        reason = " ".join(f"{type(error).__name__}: {error}".split())[:120]
        raise KpstraError(f"--mnist {root}: {reason}; expected {root}/MNIST/raw with torchvision's files") from error
    return Source("MNIST", *(with_boxes(part.data / 255, part.targets.long()) for part in (train, test)))


def split(name: str, images: Tensor, labels: Tensor) -> Source:
    """Put every fifth digit, in an order drawn once and for all, aside for the test."""
    order = torch.randperm(len(images), generator=torch.Generator().manual_seed(0))
    held = torch.arange(len(order)) % TEST_PART == 0
    return Source(name, *(with_boxes(images[order[part]], labels[order[part]]) for part in (~held, held)))


def with_boxes(images: Tensor, labels: Tensor) -> Digits:
    """Find each digit's minimum box.

    Raises:
        KpstraError: an image without a digit.
    """
    ink = images > INK
    empty = (~ink.flatten(1).any(dim=1)).nonzero()
    if len(empty):
        raise KpstraError(f"digits: image {int(empty[0])} is empty: no pixel is brighter than {INK}")
    (left, right), (top, bottom) = _extent(ink.any(dim=1)), _extent(ink.any(dim=2))
    corners = torch.stack([torch.stack((x, y), dim=-1) for y in (top, bottom) for x in (left, right)], dim=1)
    corners = torch.cat((corners, corners.mean(dim=1, keepdim=True)), dim=1) - SIDE / 2
    return Digits(images.float(), labels, corners)


def _extent(filled: Tensor) -> tuple[Tensor, Tensor]:
    """Return the first and one beyond the last True of each row, (N,) each."""
    first = filled.int().argmax(dim=1)
    last = filled.shape[1] - filled.flip(1).int().argmax(dim=1)
    return first.float(), last.float()
