"""Distances between part features, and what a ranking by them is worth."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from utils import run_device


def cuda_dist(x: np.ndarray, y: np.ndarray, metric: str = "euc") -> Tensor:
    """Return the distances (n, m), each the mean over the parts, of features x (n, c, p) and y (m, c, p).

    Raises:
        ValueError: ``metric`` is neither ``euc`` nor ``cos``.
    """
    if metric not in ("euc", "cos"):
        raise ValueError(f"metric: {metric!r} is neither 'euc' nor 'cos'")
    x, y = (torch.from_numpy(features).to(run_device()) for features in (x, y))
    if metric == "cos":
        x, y = F.normalize(x, dim=1), F.normalize(y, dim=1)
    parts = x.shape[2]
    total = torch.zeros(len(x), len(y), device=x.device)
    for a, b in zip(x.unbind(2), y.unbind(2), strict=True):
        product = a @ b.T
        if metric == "euc":
            product = (a.square().sum(1)[:, None] + b.square().sum(1) - 2 * product).relu().sqrt()
        total += product
    return 1 - total / parts if metric == "cos" else total / parts


def evaluate_rank(
    distmat: np.ndarray, p_lbls: np.ndarray, g_lbls: np.ndarray, max_rank: int = 50
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rank the gallery for every probe; probes without a match in the gallery do not count.

    Returns:
        cmc (max_rank,): share of probes with a match among the first k; average precision, and inverse negative penalty
        (matches / position of the last one), of each probe that counts.

    Raises:
        ValueError: no probe has a match.
    """
    matches = g_lbls[np.argsort(distmat, axis=1)] == p_lbls[:, None]  # probes, gallery
    matches = matches[matches.any(1)]
    if len(matches) == 0:
        raise ValueError(f"evaluation: none of the {len(p_lbls)} probes has its identity in the gallery")
    found, positions = matches.cumsum(1), np.arange(1, matches.shape[1] + 1)
    cmc = (found[:, :max_rank] > 0).astype(np.float32).mean(0)
    precision = (found / positions * matches).sum(1) / found[:, -1]
    penalty = found[:, -1] / (positions * matches).max(1)
    return cmc, precision, penalty
