"""The images that a model is for: their size, and how they are normalised."""

from __future__ import annotations

from dataclasses import dataclass

from .backbones import SIZE


@dataclass(frozen=True)
class Input:
    """Height and width; what is subtracted from red, green and blue in [0, 1], and what they are then divided by."""

    size: tuple[int, int]
    mean: tuple[float, float, float]
    std: tuple[float, float, float]


PEOPLE = Input(SIZE, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225))  # ImageNet's
FACES = Input((112, 112), (0.5,) * 3, (0.5,) * 3)  # CVLface: to [-1, 1]
FACES_STRA = Input((112, 112), (0.5,) * 3, (128 / 255,) * 3)  # StRA's paper: (x - 127.5) / 128
EXPRESSIONS = Input((44, 44), (0.0,) * 3, (1.0,) * 3)
