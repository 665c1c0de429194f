"""RetinaFace on MobileNetV1 x0.25: for every anchor a box, a class and five landmarks (Deng et al., 2019).

Parts are named as in the published weights, mixed case included.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

WIDTH, LEAK, ANCHORS = 64, 0.1, 2  # channels of the pyramid, slope, anchors at a position
STAGES = (  # (channels, stride) of the depthwise-separable convolutions; each stage's last map goes on to the pyramid
    ((16, 1), (32, 2), (32, 1), (64, 2), (64, 1)),
    ((128, 2), *((128, 1),) * 5),
    ((256, 2), (256, 1)),
)


def conv_bn(inputs: int, outputs: int, kernel: int = 3, stride: int = 1, groups: int = 1, active: bool = True) -> list:
    """A convolution without bias that keeps the size (at stride 1), batch norm, and a leaky ReLU if ``active``."""
    convolution = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False)
    return [convolution, nn.BatchNorm2d(outputs), *([nn.LeakyReLU(LEAK)] if active else [])]


def separable(inputs: int, outputs: int, stride: int) -> nn.Sequential:
    """A depthwise convolution, then one across channels."""
    return nn.Sequential(*conv_bn(inputs, inputs, 3, stride, inputs), *conv_bn(inputs, outputs, 1))


class MobileNetV1(nn.Module):
    """MobileNetV1 of a quarter of the width: maps of strides 8, 16 and 32 with 64, 128 and 256 channels."""

    def __init__(self) -> None:
        super().__init__()
        channels = 8
        for number, stage in enumerate(STAGES, 1):
            blocks = [nn.Sequential(*conv_bn(3, channels, stride=2))] if number == 1 else []
            for outputs, stride in stage:
                blocks.append(separable(channels, outputs, stride))
                channels = outputs
            setattr(self, f"stage{number}", nn.Sequential(*blocks))

    def forward(self, images: Tensor) -> list[Tensor]:
        first = self.stage1(images)
        second = self.stage2(first)
        return [first, second, self.stage3(second)]


class FeaturePyramid(nn.Module):
    """Maps of one width, to each of which the coarser one above it is added (Lin et al., 2017)."""

    def __init__(self) -> None:
        super().__init__()
        for number, channels in enumerate((64, 128, 256), 1):
            setattr(self, f"output{number}", nn.Sequential(*conv_bn(channels, WIDTH, 1)))
        self.merge1, self.merge2 = (nn.Sequential(*conv_bn(WIDTH, WIDTH)) for _ in range(2))

    def forward(self, maps: list[Tensor]) -> list[Tensor]:
        fine, middle, coarse = self.output1(maps[0]), self.output2(maps[1]), self.output3(maps[2])
        middle = self.merge2(middle + F.interpolate(coarse, size=middle.shape[2:]))
        fine = self.merge1(fine + F.interpolate(middle, size=fine.shape[2:]))
        return [fine, middle, coarse]


class ContextModule(nn.Module):
    """Receptive fields of 3, 5 and 7 pixels beside each other (SSH; Najibi et al., 2017)."""

    def __init__(self) -> None:
        super().__init__()
        half, quarter = WIDTH // 2, WIDTH // 4
        self.conv3X3 = nn.Sequential(*conv_bn(WIDTH, half, active=False))
        self.conv5X5_1 = nn.Sequential(*conv_bn(WIDTH, quarter))
        self.conv5X5_2 = nn.Sequential(*conv_bn(quarter, quarter, active=False))
        self.conv7X7_2 = nn.Sequential(*conv_bn(quarter, quarter))
        self.conv7x7_3 = nn.Sequential(*conv_bn(quarter, quarter, active=False))

    def forward(self, x: Tensor) -> Tensor:
        shared = self.conv5X5_1(x)
        parts = [self.conv3X3(x), self.conv5X5_2(shared), self.conv7x7_3(self.conv7X7_2(shared))]
        return F.relu(torch.cat(parts, 1))


class Head(nn.Module):
    """So many numbers for each anchor (B, N, numbers), position by position."""

    def __init__(self, numbers: int) -> None:
        super().__init__()
        self.numbers = numbers
        self.conv1x1 = nn.Conv2d(WIDTH, ANCHORS * numbers, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv1x1(x).movedim(1, -1).reshape(len(x), -1, self.numbers)


class RetinaFace(nn.Module):
    """The network up to the anchors' regressions: box (B, 1050, 4), class (B, 1050, 2), landmarks (B, 1050, 10)."""

    def __init__(self) -> None:
        super().__init__()
        self.body, self.fpn = MobileNetV1(), FeaturePyramid()
        self.ssh1, self.ssh2, self.ssh3 = (ContextModule() for _ in range(3))
        for name, numbers in {"ClassHead": 2, "BboxHead": 4, "LandmarkHead": 10}.items():
            setattr(self, name, nn.ModuleList(Head(numbers) for _ in STAGES))

    def regress(self, images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return boxes, classes and landmarks as regressed, of images (B, 3, 160, 160) BGR in [-1, 1]."""
        contexts = (self.ssh1, self.ssh2, self.ssh3)
        maps = [context(x) for context, x in zip(contexts, self.fpn(self.body(images)), strict=True)]
        boxes, classes, landmarks = (
            torch.cat([head(x) for head, x in zip(heads, maps, strict=True)], 1)
            for heads in (self.BboxHead, self.ClassHead, self.LandmarkHead)
        )
        return boxes, classes, landmarks
