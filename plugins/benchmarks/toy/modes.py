"""The toy's parts found by the network: a small convolutional stem and StRA's modes on its map."""

from __future__ import annotations

from torch import Tensor, nn

from ...modes import ModeFinder, PartCentres

WIDTH = 8  # channels for each mode
DIVERSITY = 0.1  # weight of the loss that keeps modes apart


class ToyModes(nn.Module):
    """Find ``groups`` parts of canvases.

    The stem's map serves the modes alone: a variant's logits see its image through KP-RPE's biases and in no other way.
    """

    def __init__(self, groups: int) -> None:
        super().__init__()
        channels = WIDTH * groups
        self.stem = nn.Sequential(*_block(1, channels // 2), *_block(channels // 2, channels))
        self.finder = ModeFinder(channels, groups)

    def forward(self, canvases: Tensor) -> PartCentres:
        """Return the parts of normalised canvases (B, 1, 40, 40), found on a map of 10 x 10."""
        return self.finder(self.stem(canvases))

    def diversity(self, parts: PartCentres) -> Tensor:
        """Return the weighted diversity loss of a batch, a scalar."""
        return DIVERSITY * self.finder.diversity(parts).mean()


def _block(in_channels: int, out_channels: int) -> list[nn.Module]:
    convolution = nn.Conv2d(in_channels, out_channels, 3, stride=2, padding=1, bias=False)
    return [convolution, nn.BatchNorm2d(out_channels), nn.ReLU(inplace=True)]
