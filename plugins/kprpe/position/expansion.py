"""phi(M - P) multiplied out: a polynomial in the patch centre M with coefficients that the keypoint P gives.

phi(dx, dy) = (dx, dy) in the published form, (dx, dy, dx^2, dy^2, dx dy) in the second order. For every w

    phi(M - P) . w = monomials(M) . E(P) w,    monomials(M) = (1, x, y) or (1, x, y, x^2, y^2, x y)

so what depends on the image (E(P), a few rows) never meets what depends on the patch (the monomials) before the end.
"""

from __future__ import annotations

import torch
from torch import Tensor

TERMS = {1: 2, 2: 5}  # of phi, by order: D; monomials has one more
POWERS = ((0, 0), (1, 0), (0, 1), (2, 0), (0, 2), (1, 1))  # of x and y in the monomials


def monomials(centres: Tensor, rank: int) -> Tensor:
    """Return the first ``rank`` of (1, x, y, x^2, y^2, x y) of M (..., 2): (..., rank)."""
    x, y = centres.unbind(-1)
    return torch.stack((torch.ones_like(x), x, y, x * x, y * y, x * y)[:rank], dim=-1)


def expansion(points: Tensor, order: int) -> Tensor:
    """Return E(P) of points (..., 2): (..., 1 + D, D), D = 2 or 5 terms of phi."""
    x, y = points.unbind(-1)
    zero, one = torch.zeros_like(x), torch.ones_like(x)
    if order == 1:
        rows = ((-x, -y), (one, zero), (zero, one))
    else:
        rows = (
            (-x, -y, x * x, y * y, x * y),
            (one, zero, -2 * x, zero, -y),
            (zero, one, zero, -2 * y, -x),
            (zero, zero, one, zero, zero),
            (zero, zero, zero, one, zero),
            (zero, zero, zero, zero, one),
        )
    return torch.stack([torch.stack(row, dim=-1) for row in rows], dim=-2)


def image_rank(order: int, weighted: bool) -> int:
    """Return how many rows of ``s E(P) - E(0)`` are not zero: 1 or 3, but all where confidences weight the joints."""
    return 1 + TERMS[order] if weighted else 1 if order == 1 else 3
