"""Losses; ``loss_cfg.type`` names one."""

from .base import BaseLoss
from .ce import CrossEntropyLoss
from .triplet import TripletLoss

__all__ = ["BaseLoss", "CrossEntropyLoss", "TripletLoss"]
