"""What a form of f(P) can and cannot say: tables fitted to one bias, and how they change while a joint moves.

The wanted bias: queries just beyond the first joint attend to their own surroundings, others do not. The published form
has no product of a query's place and a joint's, so a moving joint changes the biases of all queries alike.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, optim

from ...kprpe import KeypointRPE

FORMS = {"multihead": "first order", "second_order": "second order", "nonlinear": "nonlinear"}
GRID, JOINTS = (10, 10), 3
BEYOND = 0.25  # sides of the image from the joint, right and down: the place that counts
RADIUS = 0.35  # around it
BATCH, RATE = 32, 0.03


class Change(NamedTuple):
    """A bias before a joint moves and after, and the share of the wanted bias's variance that it explains."""

    before: Tensor  # (N, N)
    after: Tensor
    explained: float


def wanted(rpe: KeypointRPE, points: Tensor) -> Tensor:
    """Return the bias to fit, (B, N, N), for joints (B, L, 2): a bump by the joint, times one pattern."""
    away = rpe.centres - points[:, :1] - BEYOND  # B, N, 2
    queries = torch.exp(-away.square().sum(-1) / (2 * RADIUS**2))
    side = round(rpe.num_buckets**0.5)
    steps = torch.arange(side) - side // 2
    pattern = torch.exp(-(steps[:, None].square() + steps.square()) / 3.0).flatten()  # K
    return queries.unsqueeze(-1) * pattern[rpe.index]


def fit(formulation: str, steps: int, seed: int = 0) -> KeypointRPE:
    """Return a table of this form fitted by least squares to the wanted bias of random joints."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        rpe = KeypointRPE(JOINTS, GRID, 1, 1, formulation)
        optimizer = optim.Adam(rpe.parameters(), RATE)
        schedule = optim.lr_scheduler.OneCycleLR(optimizer, RATE, total_steps=steps)
        for _ in range(steps):
            points = torch.rand(BATCH, JOINTS, 2)
            loss = F.mse_loss(rpe.bias(points, 0).squeeze(1), wanted(rpe, points))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
    return rpe


@torch.no_grad()
def change(rpe: KeypointRPE, before: Tensor, after: Tensor) -> Change:
    """Return what a table makes of one person's joints (L, 2) before and after a move."""
    rpe.eval()
    maps = rpe.bias(torch.stack((before, after)), 0).squeeze(1)
    points = torch.rand(256, JOINTS, 2, generator=torch.Generator().manual_seed(1))
    aim = wanted(rpe, points)
    left = (rpe.bias(points, 0).squeeze(1) - aim).square().mean() / aim.var()
    return Change(*maps, 1 - left.item())
