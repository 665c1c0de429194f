"""Residual blocks with StRA in the place of the spatial convolution: ResNet's and MobileNetV2's."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from .attention import StRAttention
from .layers import init_weights


class StRABottleneck(nn.Module):
    """ResNet bottleneck with StRA for its 3x3 convolution (appendix A); parameters have torchreid's names.

    Args:
        inplanes: input channels.
        planes: StRA's channels C; the output has ``4 * planes``.
        downsample: projection of the identity, where input and output channels or sizes differ.
        stride: of the first 1x1 convolution, as StRA itself keeps the size.
        expands: ends with a 1x1 convolution to ``4 * planes``; without it (the paper's network for FER2013) the output
            has ``planes``.
        **stra: arguments of :class:`StRAttention`.
    """

    expansion = 4

    def __init__(
        self,
        inplanes: int,
        planes: int,
        downsample: nn.Module | None = None,
        stride: int = 1,
        expands: bool = True,
        **stra,
    ) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inplanes, planes, 1, stride, bias=False)
        self.bn1 = nn.BatchNorm2d(planes)
        self.conv2 = StRAttention(planes, **stra)
        self.bn2 = nn.BatchNorm2d(planes)
        self.conv3 = nn.Conv2d(planes, planes * self.expansion, 1, bias=False) if expands else None
        self.bn3 = nn.BatchNorm2d(planes * self.expansion) if expands else None
        self.relu = nn.ReLU(inplace=True)
        self.downsample = downsample
        init_weights(self.conv1)
        if expands:
            init_weights(self.conv3)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Map (B, inplanes, H, W) to (B, 4 planes, H / stride, W / stride) and the diversity loss (B,)."""
        identity = x if self.downsample is None else self.downsample(x)
        out = self.relu(self.bn1(self.conv1(x)))
        out, diversity = self.conv2(out)
        out = self.bn2(out)
        if self.conv3 is not None:
            out = self.bn3(self.conv3(self.relu(out)))
        return self.relu(out + identity), diversity


class _ConvBlock(nn.Module):
    """1x1 convolution, BN, ReLU6, under the names of torchreid's MobileNetV2."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(in_channels, out_channels, 1, bias=False)
        self.bn = nn.BatchNorm2d(out_channels)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu6(self.bn(self.conv(x)))


class StRAInvertedResidual(nn.Module):
    """MobileNetV2's inverted residual (stride 1) with StRA for its depthwise convolution.

    The expansion's 1x1 convolution is the ``u`` of eq. 2, so by default the local attention has no value convolution of
    its own: what keeps the block within the FLOPs of the one it replaces. Parameter names are torchreid's.

    Args:
        in_channels, out_channels: the identity is added where they are equal.
        expansion: StRA works on ``expansion * in_channels`` channels.
        groups: number of modes; they divide the expanded channels.
        value_conv: give the local attention one all the same.
        **stra: further arguments of :class:`StRAttention`.
    """

    def __init__(
        self, in_channels: int, out_channels: int, expansion: int = 6, groups: int = 8, value_conv: bool = False, **stra
    ) -> None:
        super().__init__()
        channels = in_channels * expansion
        self.use_residual = in_channels == out_channels
        self.conv1 = _ConvBlock(in_channels, channels)
        self.stra = StRAttention(channels, groups=groups, value_conv=value_conv, **stra)
        self.bn = nn.BatchNorm2d(channels)
        self.conv3 = nn.Sequential(nn.Conv2d(channels, out_channels, 1, bias=False), nn.BatchNorm2d(out_channels))
        for layer in (self.conv1, self.conv3):
            init_weights(layer)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Map (B, in_channels, H, W) to (B, out_channels, H, W) and the diversity loss (B,)."""
        out, diversity = self.stra(self.conv1(x))
        out = self.conv3(F.relu6(self.bn(out)))
        return (x + out if self.use_residual else out), diversity
