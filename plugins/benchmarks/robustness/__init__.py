"""Robustness against misalignment, without a host: kinds of error, points, numbers that are kept, table and picture."""

from .disturbance import KINDS, Disturbance, draw_number
from .sweep import ALIGNED, CheckpointRun, Point, numbered, points

__all__ = ["ALIGNED", "KINDS", "CheckpointRun", "Disturbance", "Point", "draw_number", "numbered", "points"]
