"""Looking up bucketed values for every query-key pair."""

from __future__ import annotations

import torch
from torch import Tensor


def lookup(values: Tensor, index: Tensor) -> Tensor:
    """Return ``values[..., d(i, j)]``: (..., K) and (N, N) to (..., N, N).

    A cross index (2, N, N) gives the sum of the row and the column look-up.
    """
    if index.ndim == 3:
        return lookup(values, index[0]) + lookup(values, index[1])
    flat = index.reshape(-1).expand(*values.shape[:-1], -1)
    return torch.gather(values, -1, flat).unflatten(-1, index.shape)


def lookup_queries(values: Tensor, index: Tensor) -> Tensor:
    """Return ``values[..., i, d(i, j)]``: every query i has a table of its own; (..., N, K) to (..., N, N)."""
    if index.ndim == 3:
        return lookup_queries(values, index[0]) + lookup_queries(values, index[1])
    return torch.gather(values, -1, index.expand(*values.shape[:-2], *index.shape))


def lookup_features(features: Tensor, weight: Tensor, index: Tensor) -> Tensor:
    """Return ``features[..., i, :] . weight[h, d(i, j), :]``, the pairs one by one: no table of a query's own exists.

    For windows of fewer tokens than there are buckets. (..., n, C) and (heads, K, C) to (..., heads, n, n).
    """
    pairs = lookup(weight.transpose(1, 2), index)  # heads, C, n, n
    heads, channels, n, _ = pairs.shape
    by_query = pairs.permute(2, 1, 0, 3).reshape(n, channels, heads * n)
    flat = features.flatten(0, -3).transpose(0, 1)  # n, windows, C
    out = torch.bmm(flat, by_query).unflatten(-1, (heads, n))  # n, windows, heads, n
    return out.permute(1, 2, 0, 3).unflatten(0, features.shape[:-2])


def add_into(looked_up: Tensor, other: Tensor) -> Tensor:
    """Return the sum, written over ``looked_up`` where that has the sum's shape: a pass over memory less."""
    fits = torch.broadcast_shapes(looked_up.shape, other.shape) == looked_up.shape
    return looked_up.add_(other) if fits else looked_up + other
