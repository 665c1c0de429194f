"""Modes of StRA as keypoints of KP-RPE: body parts that a network finds by itself steer its attention.

The KP-RPE paper leaves "self-discovery of keypoints" as future work; StRA's modes are parts found without labels.
"""

from .centres import PartCentres, part_centres
from .config import modes_config
from .finder import ModeFinder
from .stem import ModeStem

__all__ = ["ModeFinder", "ModeStem", "PartCentres", "modes_config", "part_centres"]
