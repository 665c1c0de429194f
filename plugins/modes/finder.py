"""StRA's mask branch on a feature map, whose modes' centres serve as keypoints."""

from __future__ import annotations

from torch import Tensor, nn

from ..stra.checks import check_feature_map, check_groups
from ..stra.layers import grouped_branch, init_weights
from ..stra.mode import diversity_loss
from .centres import PartCentres, part_centres


class ModeFinder(nn.Module):
    """Find G parts in a feature map by the mask branch of StRA's mode attention; the map itself stays as it is.

    Args:
        channels: C, divisible by ``groups``.
        groups: G, the number of modes: L of the KP-RPE that they feed.

    Raises:
        KpstraError: channels that the groups do not divide.

    Example:
        >>> finder = ModeFinder(384, groups=8)
        >>> handle = inject_kprpe(transformer, {"num_keypoints": 8})
        >>> parts = finder(features)  # (B, 384, H, W)
        >>> with handle.set_keypoints(parts.points, parts.confidence, learned=True):
        ...     loss = criterion(transformer(features), labels) + finder.diversity(parts).mean()
    """

    def __init__(self, channels: int, groups: int = 8) -> None:
        super().__init__()
        check_groups(channels, groups)
        self.channels, self.groups = channels, groups
        self.mask = grouped_branch(channels, 8 * groups, groups, groups)
        init_weights(self)

    def forward(self, x: Tensor) -> PartCentres:
        """Return the parts of ``x`` (B, C, H, W), with gradients to the branch and to ``x``."""
        check_feature_map(x, self.channels, "ModeFinder")
        return part_centres(self.mask(x))

    @staticmethod
    def diversity(parts: PartCentres) -> Tensor:
        """Return StRA's diversity loss of each map, (B,): zero where no two modes overlap."""
        return diversity_loss(parts.mask)
