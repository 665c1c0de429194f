"""Anchors of the landmark detector, and boxes and landmarks decoded from what is regressed for each of them."""

from __future__ import annotations

from itertools import product

import torch
from torch import Tensor

SIZE = 160  # pixels, the side of the network's input
LEVELS = {8: (64, 80), 16: (96, 112), 32: (128, 144)}  # stride -> sides of the anchors at each position, in pixels
CENTRE, EXTENT = 0.1, 0.2  # variances


def anchors() -> Tensor:
    """Return all anchors (1050, 4): centre x, y and sides, in shares of the input, by level, row, column and size."""
    rows = [
        ((column + 0.5) * stride, (row + 0.5) * stride, side, side)
        for stride, sides in LEVELS.items()
        for row, column in product(range(SIZE // stride), repeat=2)
        for side in sides
    ]
    return torch.tensor(rows) / SIZE


def decode_boxes(values: Tensor, priors: Tensor) -> Tensor:
    """Return boxes (B, N, 4) as corners x, y, x, y from regressed (B, N, 4) and anchors (N, 4)."""
    centre = priors[:, :2] + CENTRE * values[..., :2] * priors[:, 2:]
    extent = priors[:, 2:] * torch.exp(EXTENT * values[..., 2:])
    return torch.cat([centre - extent / 2, centre + extent / 2], -1)


def decode_landmarks(values: Tensor, priors: Tensor) -> Tensor:
    """Return landmarks (B, N, 10), x, y of each, from regressed (B, N, 10) and anchors (N, 4)."""
    points = values.unflatten(-1, (5, 2))  # B, N, 5, 2
    return (priors[:, None, :2] + CENTRE * points * priors[:, None, 2:]).flatten(-2)
