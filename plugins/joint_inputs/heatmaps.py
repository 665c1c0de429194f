"""Joints as Gaussian maps beside the image, for a convolution that is widened to see them."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class WidenedConv(nn.Conv2d):
    """A convolution of its input and of ``maps`` (N, K, H, W) beside it; their weights are ``maps_weight``."""

    maps: Tensor | None

    def forward(self, x: Tensor) -> Tensor:
        """x: (N, C, H, W)."""
        both, weight = torch.cat([x, self.maps.to(x.dtype)], 1), torch.cat([self.weight, self.maps_weight], 1)
        return self._conv_forward(both, weight, self.bias)


def widen(conv: nn.Conv2d, channels: int) -> None:
    """Make a convolution a :class:`WidenedConv` of ``channels`` maps, whose weights are zero, in place."""
    conv.__class__, conv.maps = WidenedConv, None
    conv.maps_weight = nn.Parameter(conv.weight.new_zeros(conv.out_channels, channels, *conv.kernel_size))


def joint_maps(points: Tensor, scores: Tensor, size: tuple[int, int], sigma: float) -> Tensor:
    """Return a map for each joint, ``score exp(-|pixel - joint|^2 / (2 sigma^2))``.

    Args:
        points: (..., L, 2), (x, y) in pixels, whole numbers being pixel centres.
        scores: (..., L), taken as 0 to 1; a joint of score 0 may be anywhere, NaN too, and has an empty map.
        size: (height, width).
        sigma: in pixels.

    Returns:
        (..., L, height, width).

    Example:
        >>> joint_maps(torch.tensor([[[1.0, 0.0]]]), torch.tensor([[0.5]]), (1, 3), 1.0)
        tensor([[[[0.3033, 0.5000, 0.3033]]]])
    """
    scores = scores.clamp(0, 1)
    points = torch.where(scores.unsqueeze(-1) > 0, points, 0.0)
    across, down = (
        torch.exp(-(torch.arange(side, device=points.device) - points[..., i, None]).square() / (2 * sigma**2))
        for i, side in ((0, size[1]), (1, size[0]))
    )
    return (scores.unsqueeze(-1) * down).unsqueeze(-1) * across.unsqueeze(-2)
