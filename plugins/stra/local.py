"""Local attention: data-dependent softmax masks over K x K neighbourhoods (StRA paper, eq. 2)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .checks import check_counts, check_feature_map, check_groups, check_kernel
from .layers import GroupedPointwiseConv2d, grouped_branch, init_weights
from .neighbourhood import aggregate


def local_softmask(nu: Tensor, omega: Tensor, kernel_size: int) -> Tensor:
    """Return the affinities ``a_ij = softmax_j(omega(x_i)_j + nu(x_j))`` of eq. 2.

    Args:
        nu: one map per group, (B, G, H, W); zero outside the image.
        omega: one logit per neighbour, (B, G, K*K, H, W).

    Returns:
        (B, G, K*K, H, W), each neighbourhood summing to one.
    """
    if nu.is_cuda:  # where F.unfold starts a kernel for every image
        windows = F.pad(nu, (kernel_size // 2,) * 4).unfold(2, kernel_size, 1).unfold(3, kernel_size, 1)
        neighbours = windows.permute(0, 1, 4, 5, 2, 3)  # B, G, K, K, H, W: a view
    else:
        neighbours = F.unfold(nu, kernel_size, padding=kernel_size // 2)  # B, G*K*K, H*W
        neighbours = neighbours.view(*nu.shape[:2], kernel_size, kernel_size, *nu.shape[2:])
    logits = omega.unflatten(2, (kernel_size, kernel_size)) + neighbours
    return torch.softmax(logits.flatten(2, 3), dim=2)


class LocalAttention(nn.Module):
    """The local operator ``s_i = sum_j a_ij u(x_j)`` over K x K neighbourhoods (eq. 2).

    The mask branch's second convolution has 1 + K*K outputs per convolution group, but its output is split as
    [G maps nu | G x K*K logits omega], as the authors' code does: convolution groups and mask groups differ.

    Args:
        channels: C, divisible by ``groups``.
        groups: G, the number of modes.
        kernel_size: K, odd.
        ratio: the mask branch has C / ratio hidden channels.
        value_conv: ``u`` is a grouped 1x1 convolution; ``False`` when the caller's own 1x1 convolution is ``u``.
    """

    def __init__(
        self, channels: int, groups: int = 8, kernel_size: int = 3, ratio: int = 4, value_conv: bool = True
    ) -> None:
        super().__init__()
        check_counts(channels=channels, ratio=ratio)
        check_groups(channels, groups, **{f"channels // ratio ({channels} // {ratio})": channels // ratio})
        check_kernel(kernel_size)
        self.channels, self.groups, self.kernel_size = channels, groups, kernel_size
        self.mask = grouped_branch(channels, channels // ratio, groups * (1 + kernel_size**2), groups)
        self.value = GroupedPointwiseConv2d(channels, channels, groups, bias=False) if value_conv else nn.Identity()
        init_weights(self)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, H, W) to (B, C, H, W)."""
        check_feature_map(x, self.channels, "LocalAttention")
        logits = self.mask(x)
        nu = logits[:, : self.groups]
        omega = logits[:, self.groups :].unflatten(1, (self.groups, -1))  # B, G, K*K, H, W
        return aggregate(local_softmask(nu, omega, self.kernel_size), self.value(x), self.kernel_size)
