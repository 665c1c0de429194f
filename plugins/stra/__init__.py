"""Structure-regularized attention (StRA): attention that finds body parts without labels.

Zhang, Shen, Li, Liu: Structure-Regularized Attention for Deformable Object Representation, 2021.
"""

from .attention import StRAttention
from .blocks import StRABottleneck, StRAInvertedResidual
from .local import LocalAttention
from .mode import ModeAttention
from .operators import OPERATORS

__all__ = ["OPERATORS", "LocalAttention", "ModeAttention", "StRABottleneck", "StRAInvertedResidual", "StRAttention"]
