"""Modes found in images themselves: a small convolutional stem and StRA's mask branch on its map."""

from __future__ import annotations

from itertools import pairwise

from torch import Tensor, nn

from ..errors import KpstraError
from .centres import PartCentres
from .finder import ModeFinder

WIDTH = 8  # channels of the map for each mode


class ModeStem(nn.Module):
    """Find G parts in images, for a transformer that has no feature map of its own before its attention.

    The stem's map serves the modes alone: the transformer sees it through KP-RPE's biases and in no other way, so that
    its pretrained weights stay as they are.

    Args:
        in_channels: of the images.
        groups: G, the number of modes.
        stages: of 3x3 convolution, BN and ReLU; each halves the map.

    Raises:
        KpstraError: counts below 1.

    Example:
        >>> stem = ModeStem(3, groups=8)
        >>> stem(torch.randn(2, 3, 256, 128)).points.shape  # found on a map of 32 x 16
        torch.Size([2, 8, 2])
    """

    def __init__(self, in_channels: int, groups: int = 8, stages: int = 3) -> None:
        if min(in_channels, groups, stages) < 1:
            raise KpstraError(
                f"ModeStem: in_channels {in_channels}, groups {groups}, stages {stages}: expected 1 or more"
            )
        super().__init__()
        channels = WIDTH * groups
        widths = [in_channels, *(max(channels >> left, groups) for left in reversed(range(stages)))]
        self.stem = nn.Sequential(*(layer for pair in pairwise(widths) for layer in _stage(*pair)))
        self.finder = ModeFinder(channels, groups)

    @property
    def groups(self) -> int:
        """G."""
        return self.finder.groups

    def forward(self, images: Tensor) -> PartCentres:
        """Return the parts of normalised images (B, C, H, W)."""
        return self.finder(self.stem(images))

    def diversity(self, parts: PartCentres) -> Tensor:
        """Return StRA's diversity loss of each image, (B,): zero where no two modes overlap."""
        return self.finder.diversity(parts)


def _stage(in_channels: int, out_channels: int) -> list[nn.Module]:
    convolution = nn.Conv2d(in_channels, out_channels, 3, stride=2, padding=1, bias=False)
    return [convolution, nn.BatchNorm2d(out_channels), nn.ReLU(inplace=True)]
