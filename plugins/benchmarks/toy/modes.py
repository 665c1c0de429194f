"""The toy's parts found by the network: a small convolutional stem and StRA's modes on its map."""

from __future__ import annotations

from torch import Tensor

from ...modes import ModeStem, PartCentres

DIVERSITY = 0.1  # weight of the loss that keeps modes apart


class ToyModes(ModeStem):
    """Find ``groups`` parts of normalised canvases (B, 1, 40, 40), on a map of 10 x 10."""

    def __init__(self, groups: int) -> None:
        super().__init__(1, groups, stages=2)

    def diversity(self, parts: PartCentres) -> Tensor:
        """Return the weighted diversity loss of a batch, a scalar."""
        return DIVERSITY * super().diversity(parts).mean()
