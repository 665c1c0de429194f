"""Building blocks: poolings, heads of separate parts, and residual blocks. n items, s frames, p parts."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from utils import clones, is_list_or_tuple


class HorizontalPoolingPyramid:
    """Mean + maximum over horizontal strips; ``bin_num``: into how many strips, at each level of the pyramid."""

    def __init__(self, bin_num: Sequence[int] | None = None) -> None:
        self.bin_num = [16, 8, 4, 2, 1] if bin_num is None else bin_num

    def __call__(self, x: Tensor) -> Tensor:
        """(n, c, h, w) -> (n, c, p)."""
        strips = [x.reshape(*x.shape[:2], bins, -1) for bins in self.bin_num]
        return torch.cat([strip.mean(-1) + strip.amax(-1) for strip in strips], -1)


class SetBlockWrapper(nn.Module):
    """Applies a module for images to every frame: (n, c, s, h, w) -> (n, c', s, h', w')."""

    def __init__(self, forward_block: nn.Module) -> None:
        super().__init__()
        self.forward_block = forward_block

    def forward(self, x: Tensor, *args, **kwargs) -> Tensor:
        n, _, s = x.shape[:3]
        frames = self.forward_block(x.transpose(1, 2).flatten(0, 1), *args, **kwargs)  # n * s, c', h', w'
        return frames.unflatten(0, (n, s)).transpose(1, 2).contiguous()


class PackSequenceWrapper(nn.Module):
    """Pools each sequence over its frames; ``pooling_func`` is such as ``torch.max``."""

    def __init__(self, pooling_func: Callable) -> None:
        super().__init__()
        self.pooling_func = pooling_func

    def forward(self, seqs: Tensor, seqL: Tensor | None, dim: int = 2, options: Mapping | None = None):
        """Pool ``seqs`` (n, c, s, ...), or with lengths ``seqL`` (1, n) each stretch of (1, c, sum of lengths, ...)."""
        options = options or {}
        if seqL is None:
            return self.pooling_func(seqs, **options)
        lengths = seqL[0].tolist()
        pooled = [self.pooling_func(seq, **options) for seq in seqs.narrow(dim, 0, sum(lengths)).split(lengths, dim)]
        if is_list_or_tuple(pooled[0]):
            return [torch.cat(parts) for parts in zip(*pooled, strict=True)]
        return torch.cat(pooled)


class SeparateFCs(nn.Module):
    """A linear layer of its own for each part: (n, c, p) -> (n, c', p)."""

    def __init__(self, parts_num: int, in_channels: int, out_channels: int, norm: bool = False) -> None:
        super().__init__()
        self.p, self.norm = parts_num, norm
        self.fc_bin = nn.Parameter(nn.init.xavier_uniform_(torch.zeros(parts_num, in_channels, out_channels)))

    def forward(self, x: Tensor) -> Tensor:
        weight = F.normalize(self.fc_bin, dim=1) if self.norm else self.fc_bin
        return (x.permute(2, 0, 1).contiguous() @ weight).permute(1, 2, 0).contiguous()


class SeparateBNNecks(nn.Module):
    """BNNeck for each part, batch norm and cosine classifier: (n, c, p) -> features (n, c, p), logits (n, ids, p)."""

    def __init__(
        self, parts_num: int, in_channels: int, class_num: int, norm: bool = True, parallel_BN1d: bool = True
    ) -> None:
        super().__init__()
        self.p, self.class_num, self.norm, self.parallel_BN1d = parts_num, class_num, norm, parallel_BN1d
        self.fc_bin = nn.Parameter(nn.init.xavier_uniform_(torch.zeros(parts_num, in_channels, class_num)))
        norm_of_all = nn.BatchNorm1d(in_channels * parts_num if parallel_BN1d else in_channels)
        self.bn1d = norm_of_all if parallel_BN1d else clones(norm_of_all, parts_num)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        if self.parallel_BN1d:
            x = self.bn1d(x.flatten(1)).view_as(x)
        else:
            x = torch.stack([bn(part) for bn, part in zip(self.bn1d, x.unbind(2), strict=True)], 2)
        feature, weight = x.permute(2, 0, 1).contiguous(), self.fc_bin  # p, n, c; p, c, classes
        if self.norm:
            feature, weight = F.normalize(feature, dim=-1), F.normalize(weight, dim=1)
        return tuple(out.permute(1, 2, 0).contiguous() for out in (feature, feature @ weight))


def conv3x3(in_planes: int, out_planes: int, stride: int | Sequence[int] = 1) -> nn.Conv2d:
    """Return a 3x3 convolution that keeps the size at stride 1."""
    return nn.Conv2d(in_planes, out_planes, 3, stride, padding=1, bias=False)


def conv1x1(in_planes: int, out_planes: int, stride: int | Sequence[int] = 1) -> nn.Conv2d:
    """Return a 1x1 convolution."""
    return nn.Conv2d(in_planes, out_planes, 1, stride, bias=False)


class BasicBlock2D(nn.Module):
    """The residual block of ResNet18, (n, c, h, w)."""

    expansion = 1

    def __init__(
        self, inplanes: int, planes: int, stride: int | Sequence[int] = 1, downsample: nn.Module | None = None
    ) -> None:
        super().__init__()
        self.conv1, self.bn1 = conv3x3(inplanes, planes, stride), nn.BatchNorm2d(planes)
        self.relu = nn.ReLU(inplace=True)
        self.conv2, self.bn2 = conv3x3(planes, planes), nn.BatchNorm2d(planes)
        self.downsample = downsample or nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        out = self.bn2(self.conv2(self.relu(self.bn1(self.conv1(x)))))
        return self.relu(out + self.downsample(x))


class BasicBlockP3D(nn.Module):
    """A residual block of 2-D convolutions with a temporal one beside the first, (n, c, s, h, w)."""

    expansion = 1

    def __init__(
        self, inplanes: int, planes: int, stride: int | Sequence[int] = 1, downsample: nn.Module | None = None
    ) -> None:
        super().__init__()
        self.relu = nn.ReLU(inplace=True)
        self.conv1 = SetBlockWrapper(
            nn.Sequential(conv3x3(inplanes, planes, stride), nn.BatchNorm2d(planes), nn.ReLU(inplace=True))
        )
        self.conv2 = SetBlockWrapper(nn.Sequential(conv3x3(planes, planes), nn.BatchNorm2d(planes)))
        self.shortcut3d = nn.Conv3d(planes, planes, (3, 1, 1), padding=(1, 0, 0), bias=False)
        self.sbn = nn.BatchNorm3d(planes)
        self.downsample = downsample or nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        out = self.conv1(x)
        out = self.conv2(self.relu(out + self.sbn(self.shortcut3d(out))))
        return self.relu(out + self.downsample(x))


class BasicBlock3D(nn.Module):
    """The residual block with 3-D convolutions, (n, c, s, h, w)."""

    expansion = 1

    def __init__(
        self, inplanes: int, planes: int, stride: Sequence[int] = (1, 1, 1), downsample: nn.Module | None = None
    ) -> None:
        super().__init__()
        padding = (0 if stride[0] == 3 else 1, 1, 1)
        self.conv1 = nn.Conv3d(inplanes, planes, 3, stride, padding, bias=False)
        self.bn1 = nn.BatchNorm3d(planes)
        self.relu = nn.ReLU(inplace=True)
        self.conv2 = nn.Conv3d(planes, planes, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm3d(planes)
        self.downsample = downsample or nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        out = self.bn2(self.conv2(self.relu(self.bn1(self.conv1(x)))))
        return self.relu(out + self.downsample(x))


def residual_stage(
    block: type[nn.Module], inplanes: int, planes: int, stride: Sequence[int], blocks_num: int, mode: str
) -> nn.Sequential:
    """Return ``blocks_num`` blocks, the first with ``stride`` and a shortcut for ``mode``: 2d, p3d or 3d."""
    out, downsample = planes * block.expansion, None
    if max(stride) > 1 or inplanes != out:
        if mode == "2d":
            downsample = nn.Sequential(conv1x1(inplanes, out, stride), nn.BatchNorm2d(out))
        elif mode in ("p3d", "3d"):
            steps = [1, *stride] if mode == "p3d" else stride
            downsample = nn.Sequential(nn.Conv3d(inplanes, out, 1, steps, bias=False), nn.BatchNorm3d(out))
        else:
            raise ValueError(f"mode: {mode!r} is not one of 2d, p3d, 3d")
    first = block(inplanes, planes, stride=stride, downsample=downsample)
    return nn.Sequential(first, *(block(out, planes, stride=[1] * len(stride)) for _ in range(1, blocks_num)))


def initialise(module: nn.Module) -> None:
    """Initialise one module: Xavier for convolutions and linear layers, N(1, 0.02) for batch norms' weights."""
    if isinstance(module, (nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.Linear)):
        nn.init.xavier_uniform_(module.weight)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
    elif isinstance(module, (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)) and module.affine:
        nn.init.normal_(module.weight, 1.0, 0.02)
        nn.init.zeros_(module.bias)
