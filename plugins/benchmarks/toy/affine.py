"""Affine transformations of digits on a larger canvas, and of their keypoints with them."""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from .digits import SIDE, Digits

CANVAS = 40  # pixels


class Motion(NamedTuple):
    """How far digits are moved. Every value is drawn evenly: the two axes' shifts and scales each on their own.

    ``shift``: pixels, the smallest and largest distance from the middle along the axis that is farther off; whole
    pixels. ``rotation``: degrees, smallest and largest, to either side. ``shear``: largest, of x along y, to either
    side. ``scale``: smallest and largest.
    """

    shift: tuple[int, int] = (0, 0)
    rotation: tuple[float, float] = (0, 0)
    shear: float = 0
    scale: tuple[float, float] = (1, 1)

    def draw(self, count: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Return matrices A (count, 2, 2) and shifts t (count, 2) in pixels: a point p goes to A p + t."""

        def even(low: float, high: float, *more: int) -> Tensor:
            return low + (high - low) * torch.rand(count, *more, generator=generator)

        def either_side(low: float, high: float) -> Tensor:
            return even(low, high) * (2.0 * torch.randint(2, (count,), generator=generator) - 1)

        angle, shear = torch.deg2rad(either_side(*self.rotation)), either_side(0, self.shear)
        one, zero = torch.ones(count), torch.zeros(count)
        turn = _matrix(angle.cos(), -angle.sin(), angle.sin(), angle.cos())
        matrices = turn @ _matrix(one, shear, zero, one) @ torch.diag_embed(even(*self.scale, 2))
        return matrices, self._shifts(count, generator)

    def _shifts(self, count: int, generator: torch.Generator) -> Tensor:
        nearest, farthest = self.shift
        shifts = torch.randint(-farthest, farthest + 1, (count, 2), generator=generator)
        far = torch.randint(nearest, farthest + 1, (count,), generator=generator)
        far *= 2 * torch.randint(2, (count,), generator=generator) - 1
        axis = torch.randint(2, (count, 1), generator=generator)
        near = shifts.abs().amax(dim=1, keepdim=True) < nearest
        return torch.where(near, shifts.scatter(1, axis, far.unsqueeze(1)), shifts).float()


def _matrix(a: Tensor, b: Tensor, c: Tensor, d: Tensor) -> Tensor:
    return torch.stack((a, b, c, d), dim=-1).unflatten(-1, (2, 2))


def place(digits: Digits, matrices: Tensor, shifts: Tensor) -> tuple[Tensor, Tensor]:
    """Put digits on canvases, transformed about the frame's centre.

    Args:
        digits: N of them.
        matrices, shifts: A (N, 2, 2) and t (N, 2) of :meth:`Motion.draw`.

    Returns:
        canvases (N, 1, 40, 40) and keypoints P (N, 5, 2), (x, y) with the canvas as [0, 1]: the upright digit's
        minimum box, carried along. Points beyond the canvas keep their coordinates.
    """
    inverse = torch.linalg.inv(matrices)
    theta = torch.cat((inverse * (CANVAS / SIDE), -(inverse @ shifts.unsqueeze(2)) / (SIDE / 2)), dim=2)
    grid = F.affine_grid(theta, [len(theta), 1, CANVAS, CANVAS], align_corners=False)
    canvases = F.grid_sample(digits.images.unsqueeze(1), grid, align_corners=False)
    points = digits.corners @ matrices.transpose(1, 2) + shifts.unsqueeze(1)
    return canvases, points / CANVAS + 0.5
