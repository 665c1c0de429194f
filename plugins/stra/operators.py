"""The local operators of Tables 3 and 4: the paper's local attention and what it is compared with."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ..errors import one_of
from .checks import check_feature_map, check_groups, check_kernel
from .layers import GroupedPointwiseConv2d, init_weights
from .local import LocalAttention
from .neighbourhood import aggregate, shifts

OPERATORS = ("local", "conv", "group_conv", "sasa")


class StandAloneSelfAttention(nn.Module):
    """Stand-alone self-attention over K x K neighbourhoods (Ramachandran et al., NeurIPS 2019, eqs. 2 and 3).

    ``a_ij = softmax_j(<q_i, k_j> + <q_i, r_(j-i)>)`` with grouped 1x1 q, k, v; half of a head's relative embedding r
    depends on the row offset, the other half on the column offset. Neighbours outside the image have k = v = 0.
    """

    def __init__(self, channels: int, groups: int = 8, kernel_size: int = 3) -> None:
        super().__init__()
        check_groups(channels, groups)
        check_kernel(kernel_size)
        self.channels, self.groups, self.kernel_size = channels, groups, kernel_size
        self.query = GroupedPointwiseConv2d(channels, channels, groups, bias=False)
        self.key = GroupedPointwiseConv2d(channels, channels, groups, bias=False)
        self.value = GroupedPointwiseConv2d(channels, channels, groups, bias=False)
        width = channels // groups
        self.relative_rows = nn.Parameter(torch.randn(groups, kernel_size, width - width // 2) * width**-0.5)
        self.relative_columns = nn.Parameter(torch.randn(groups, kernel_size, width // 2) * width**-0.5)
        init_weights(self)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, H, W) to (B, C, H, W)."""
        check_feature_map(x, self.channels, "StandAloneSelfAttention")
        q = self.query(x).unflatten(1, (self.groups, -1))  # B, G, n, H, W
        k = self.key(x).unflatten(1, (self.groups, -1))
        content = torch.stack([(q * shifted).sum(2) for shifted in shifts(k, self.kernel_size)], dim=2)
        position = torch.einsum("bgnhw,gjn->bgjhw", q, self._relative().to(q.dtype))
        weights = torch.softmax(content + position, dim=2)  # B, G, K*K, H, W
        return aggregate(weights, self.value(x), self.kernel_size)

    def _relative(self) -> Tensor:
        size = self.kernel_size
        rows = self.relative_rows.unsqueeze(2).expand(-1, -1, size, -1)
        columns = self.relative_columns.unsqueeze(1).expand(-1, size, -1, -1)
        return torch.cat((rows, columns), dim=3).flatten(1, 2)  # G, K*K, n


def build_operator(name: str, channels: int, groups: int, kernel_size: int, ratio: int, value_conv: bool) -> nn.Module:
    """Build the local operator ``name``: a module that maps (B, C, H, W) to (B, C, H, W).

    ``ratio`` and ``value_conv`` shape ``local`` only.
    """
    one_of(name, OPERATORS, "StRAttention: operator")
    if name == "local":
        return LocalAttention(channels, groups, kernel_size, ratio, value_conv)
    if name == "sasa":
        return StandAloneSelfAttention(channels, groups, kernel_size)
    check_groups(channels, groups)
    check_kernel(kernel_size)
    conv_groups = groups if name == "group_conv" else 1
    conv = nn.Conv2d(channels, channels, kernel_size, padding=kernel_size // 2, groups=conv_groups, bias=False)
    init_weights(conv)
    return conv
