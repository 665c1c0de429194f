"""Keypoint files of pose networks and data sets, as COCO's 17 joints (or a face's five points) in pixels."""

from .compact import write
from .joints import JOINT_SETS, normalised, resized, to_coco17
from .reading import FORMATS, read

__all__ = ["FORMATS", "JOINT_SETS", "normalised", "read", "resized", "to_coco17", "write"]
