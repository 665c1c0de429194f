"""Where a mode is: the centre of its mask, differentiable, and how sure it is."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

from ..errors import KpstraError
from ..kprpe.position.global_grid import patch_centres


class PartCentres(NamedTuple):
    """The parts of a batch of feature maps, as KP-RPE takes keypoints, and the masks that they come from."""

    points: Tensor  # P, (B, G, 2), (x, y) in [0, 1] of the map
    confidence: Tensor  # s, (B, G) in [0, 1]
    mask: Tensor  # M, (B, G, H * W); sums to one over positions


def part_centres(logits: Tensor) -> PartCentres:
    """Return the soft-argmax of every mode's mask, and how peaked the mask is; float32, also under autocast.

    ``M^g = softmax_i(logits^g)``, ``P_g = sum_i M^g_i m_i`` with m_i the centre of position i, and
    ``s_g = 1 - H(M^g) / log(H W)`` with H(M) the entropy: 0 for a mask that is the same everywhere, 1 for one position.

    Args:
        logits: (B, G, H, W), before the softmax.

    Raises:
        KpstraError: another shape, or an empty one.

    Example:
        >>> logits = torch.zeros(1, 1, 2, 4)
        >>> logits[0, 0, 1, 3] = 100.0
        >>> part_centres(logits)[:2]
        (tensor([[[0.8750, 0.7500]]]), tensor([[1.]]))
    """
    if logits.ndim != 4 or 0 in logits.shape:
        raise KpstraError(f"part_centres: expected logits (B, G, H, W), got shape {tuple(logits.shape)}")
    height, width = logits.shape[-2:]
    with torch.autocast(logits.device.type, enabled=False):
        flat = logits.flatten(2).to(torch.promote_types(logits.dtype, torch.float32))  # B, G, P
        log_mask = torch.log_softmax(flat, dim=2)
        mask = log_mask.exp()
        points = mask @ patch_centres(height, width).to(mask)
        entropy = -(mask * log_mask).sum(dim=2)
        most = math.log(height * width) or 1.0  # one position alone: its entropy is 0
        confidence = (1 - entropy / most).clamp(0, 1)  # rounding must not leave [0, 1]
    return PartCentres(points, confidence, mask)
