"""Transforms of a silhouette sequence (s, h, w) or (s, c, h, w); random ones draw once a sequence, from ``random``."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import cv2
import numpy as np
from utils import get_valid_args, is_dict, is_list


class NoOperation:
    """Leaves everything as it is."""

    def __call__(self, x: Any) -> Any:
        return x


class BaseSilTransform:
    """Divides by ``divsor``; ``img_shape``: give each frame that shape first."""

    def __init__(self, divsor: float = 255.0, img_shape: Sequence[int] | None = None) -> None:
        self.divsor, self.img_shape = divsor, img_shape

    def __call__(self, x: np.ndarray) -> np.ndarray:
        return (x if self.img_shape is None else x.reshape(len(x), *self.img_shape)) / self.divsor


class BaseSilCuttingTransform:
    """Cuts ``cutting`` columns from both sides (by default 10 for every 64 of the width) and divides by ``divsor``."""

    def __init__(self, divsor: float = 255.0, cutting: int | None = None) -> None:
        self.divsor, self.cutting = divsor, cutting

    def __call__(self, x: np.ndarray) -> np.ndarray:
        cutting = x.shape[-1] // 64 * 10 if self.cutting is None else self.cutting
        return x[..., cutting : x.shape[-1] - cutting] / self.divsor


class RandomHorizontalFlip:
    """Mirrors with probability ``prob``."""

    def __init__(self, prob: float = 0.5) -> None:
        self.prob = prob

    def __call__(self, seq: np.ndarray) -> np.ndarray:
        return seq if random.uniform(0, 1) >= self.prob else seq[..., ::-1]


class RandomErasing:
    """Sets a rectangle to 0, in place, with probability ``prob``.

    ``sl`` to ``sh``: its share of the area; ``r1`` to 1 / r1: its height / width; ``per_frame``: one for each frame.
    """

    def __init__(
        self, prob: float = 0.5, sl: float = 0.05, sh: float = 0.2, r1: float = 0.3, per_frame: bool = False
    ) -> None:
        self.prob, self.sl, self.sh, self.r1, self.per_frame = prob, sl, sh, r1, per_frame

    def __call__(self, seq: np.ndarray) -> np.ndarray:
        for part in seq[:, None] if self.per_frame else [seq]:
            self._erase(part)
        return seq

    def _erase(self, seq: np.ndarray) -> None:
        if random.uniform(0, 1) >= self.prob:
            return
        height, width = seq.shape[1:3]
        for _ in range(100):
            area = random.uniform(self.sl, self.sh) * (height * width)
            aspect = random.uniform(self.r1, 1 / self.r1)
            h, w = round(math.sqrt(area * aspect)), round(math.sqrt(area / aspect))
            if h < height and w < width:
                top, left = random.randint(0, height - h), random.randint(0, width - w)
                seq[:, top : top + h, left : left + w] = 0.0
                return


class RandomRotate:
    """Rotates about (x = h // 2, y = w // 2) by up to ``degree`` either way, with probability ``prob``."""

    def __init__(self, prob: float = 0.5, degree: float = 10) -> None:
        self.prob, self.degree = prob, degree

    def __call__(self, seq: np.ndarray) -> np.ndarray:
        if random.uniform(0, 1) >= self.prob:
            return seq
        h, w = seq.shape[-2:]
        matrix = cv2.getRotationMatrix2D((h // 2, w // 2), random.uniform(-self.degree, self.degree), 1)
        return _each_frame(seq, lambda frame: cv2.warpAffine(frame, matrix, (w, h)))


class RandomPerspective:
    """Stretches a quadrilateral, up to 10 columns (for every 44) from each side, with probability ``prob``."""

    def __init__(self, prob: float = 0.5) -> None:
        self.prob = prob

    def __call__(self, seq: np.ndarray) -> np.ndarray:
        if random.uniform(0, 1) >= self.prob:
            return seq
        h, w = seq.shape[-2:]
        margin = w // 44 * 10
        if margin == 0:
            raise ValueError(f"RandomPerspective: frames of {w} columns; it needs at least 44")
        left, right = range(margin), range(w - margin, w)
        top_left, top_right, bottom_left, bottom_right = (random.choice(side) for side in (left, right, left, right))
        corners = np.float32([(top_left, 0), (top_right, 0), (bottom_right, h), (bottom_left, h)])
        matrix = cv2.getPerspectiveTransform(corners, np.float32([[0, 0], [w, 0], [w, h], [0, h]]))
        return _each_frame(seq, lambda frame: cv2.warpPerspective(frame, matrix, (w, h)))


class RandomAffine:
    """Moves three corners by up to 10 pixels (for every 64 rows), with probability ``prob``."""

    def __init__(self, prob: float = 0.5, degree: float = 10) -> None:
        self.prob, self.degree = prob, degree

    def __call__(self, seq: np.ndarray) -> np.ndarray:
        if random.uniform(0, 1) >= self.prob:
            return seq
        h, w = seq.shape[-2:]
        if h < 64:
            raise ValueError(f"RandomAffine: frames of {h} rows; it needs at least 64")
        shifts = range(h // 64 * 10)
        matrix = cv2.getAffineTransform(_moved_corners(h, w, shifts), _moved_corners(h, w, shifts))
        return _each_frame(seq, lambda frame: cv2.warpAffine(frame, matrix, (w, h)))


class Compose:
    """Applies several transforms one after the other."""

    def __init__(self, trf_cfg: Sequence[Mapping]) -> None:
        if not is_list(trf_cfg):
            raise ValueError(f"Compose: trf_cfg {trf_cfg!r}: expected a list of transforms")
        self.transforms = [get_transform(cfg) for cfg in trf_cfg]

    def __call__(self, x: Any) -> Any:
        for transform in self.transforms:
            x = transform(x)
        return x


def get_transform(trf_cfg: Mapping | Sequence | None = None) -> Callable | list[Callable]:
    """Build the transform of a configuration node: ``type`` and its arguments, a list of such nodes, or None.

    Raises:
        ValueError: no such transform, or a node of another kind.
    """
    if trf_cfg is None:
        return NoOperation()
    if is_list(trf_cfg):
        return [get_transform(cfg) for cfg in trf_cfg]
    if not is_dict(trf_cfg):
        raise ValueError(f"transform: {trf_cfg!r}: expected a mapping with `type`, or a list of such")
    transform = globals().get(trf_cfg["type"])
    if not callable(transform):
        raise ValueError(f"transform: type {trf_cfg['type']!r} is not in data.transform")
    return transform(**get_valid_args(transform, trf_cfg, ["type"]))


def _moved_corners(h: int, w: int, shifts: Sequence[int]) -> np.ndarray:
    a, b, c, d, e, f = (random.choice(shifts) for _ in range(6))
    return np.float32([[a, b], [h - c, d], [e, w - f]])


def _each_frame(seq: np.ndarray, warp: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """Warp every frame; of frames with channels OpenCV takes (h, w, c) and drops a single channel."""
    if seq.ndim == 3:
        return np.stack([warp(frame) for frame in seq])
    warped = np.stack([warp(frame) for frame in seq.transpose(0, 2, 3, 1)])
    return warped.transpose(0, 3, 1, 2) if warped.ndim == 4 else warped
