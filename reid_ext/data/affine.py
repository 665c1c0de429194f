"""The affine augmentation that KP-RPE is trained with: faces of other sizes, turned, in other places."""

from __future__ import annotations

import math
from typing import Any

import torch
from torchvision import transforms as T

NAME = "random_affine"  # in data.transforms


class RandomAffine(T.RandomAffine):
    """torchvision's, with places and angles drawn as by CVLface's ``gridsample``; what comes in from outside is black.

    ``p -> c + s R (p - c) + t``, c the image's middle: s is uniform in ``scale``; the angle of R is 0, or with
    probability ``turn_prob`` uniform in ``-degrees`` to ``degrees``; t is, along each axis, either way, a uniform share
    of ``(1 - s + s shift)`` half sides: a smaller picture stays inside, but for ``shift``.

    Args:
        scale: smallest and largest s.
        degrees: largest angle, in degrees.
        turn_prob: how often there is one.
        shift: how far beyond the border, in shares of the moved picture's half side.

    Example:
        >>> RandomAffine()(Image.open("face.png")).size
        (112, 112)
    """

    def __init__(
        self, scale: tuple[float, float] = (0.8, 1.2), degrees: float = 20.0, turn_prob: float = 0.2, shift: float = 0.1
    ) -> None:
        super().__init__(degrees, scale=tuple(scale), interpolation=T.InterpolationMode.BILINEAR)
        self.turn_prob, self.shift = turn_prob, shift

    def get_params(self, degrees: list[float], translate: Any, scale: list[float], shears: Any, img_size: list[int]):
        """Return angle, translation, scale and shear of one draw, as torchvision asks for them."""
        size, turn, angle, *place = torch.rand(7).tolist()
        size = scale[0] + size * (scale[1] - scale[0])
        angle = degrees[0] + angle * (degrees[1] - degrees[0]) if turn < self.turn_prob else 0.0
        reach = 1 - size + size * self.shift
        shares = [reach * place[i] * math.copysign(1, place[i + 2] - 0.5) for i in range(2)]
        return angle, [share * side / 2 for share, side in zip(shares, img_size, strict=True)], size, (0.0, 0.0)


def add_affine(datamanager: Any, step: RandomAffine) -> None:
    """Put the step behind the resize in the transforms that a data manager of the host's trains with, in place."""
    steps = datamanager.transform_tr.transforms  # one list, which all its training sets have
    steps.insert(1 + next(i for i, one in enumerate(steps) if isinstance(one, T.Resize)), step)
