"""The StRA attention: a local operator followed by mode attention."""

from __future__ import annotations

from torch import Tensor, nn

from .checks import check_feature_map
from .mode import ModeAttention
from .operators import build_operator


class StRAttention(nn.Module):
    """Structure-regularized attention: local operator (eq. 2), then mode attention (eqs. 1 and 3).

    Every row of the paper's Tables 3 and 4 is this module with other arguments.

    Args:
        channels: C, divisible by ``groups``.
        groups: G, the number of modes (8 in the paper).
        kernel_size: K of the neighbourhood.
        ratio: channel reduction of the local mask branch.
        operator: ``local`` (the paper's), ``conv``, ``group_conv`` or ``sasa``.
        mode_attention: off gives the rows "local only" and "SASA".
        mode_interaction: off gives the row "mode attention without interaction".
        gate: ``sigmoid`` or ``softmax`` (eq. 3).
        value_conv: the local operator has a value convolution of its own.

    Raises:
        KpstraError: channels that the groups do not divide, an unknown operator or gate.
    """

    def __init__(
        self,
        channels: int,
        groups: int = 8,
        kernel_size: int = 3,
        ratio: int = 4,
        operator: str = "local",
        mode_attention: bool = True,
        mode_interaction: bool = True,
        gate: str = "sigmoid",
        value_conv: bool = True,
    ) -> None:
        super().__init__()
        self.channels = channels
        self.local = build_operator(operator, channels, groups, kernel_size, ratio, value_conv)
        self.mode = ModeAttention(channels, groups, mode_interaction, gate) if mode_attention else None

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Map ``x`` (B, C, H, W) to ``y`` (B, C, H, W) and the diversity loss of each image (B,), float32."""
        check_feature_map(x, self.channels, "StRAttention")
        s = self.local(x)
        if self.mode is None:
            return s, s.new_zeros(s.shape[0]).float()
        return self.mode(s)
