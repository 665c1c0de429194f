"""How much of a bias the images decide: a table that they leave as it is cannot earn anything."""

from __future__ import annotations

import torch
from torch import Tensor


@torch.no_grad()
def image_share(bias: Tensor) -> Tensor:
    """Return the share of B's variance that lies between images, in [0, 1]; 0 for a bias that is zero.

    Every query's mean over its keys is taken off first: the softmax ignores it. What is left has mean 0 over the keys,
    and its variance over keys and images together, summed over queries and heads, is that of its mean over the images
    and that between images. The second over the sum of both is the share: 0 where all images have the same bias.

    Args:
        bias: (images, ..., n, n); a bias of one image, or one that all share, has the share 0.

    Returns:
        A number, float64.
    """
    seen = bias.double() - bias.double().mean(dim=-1, keepdim=True)
    between = seen.var(dim=0, correction=0).sum()
    total = seen.square().mean(dim=0).sum()
    return torch.where(total > 0, between / total, 0.0)
