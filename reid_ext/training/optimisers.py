"""The optimiser of a run: the host's, and AdamW, which it lacks."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from ..host import torchreid

OPTIMISERS = ("adam", "amsgrad", "sgd", "rmsprop", "radam", "adamw")


def build_optimizer(model: nn.Module, optim: str, **settings: Any) -> torch.optim.Optimizer:
    """Return the host's optimiser for these arguments of its ``build_optimizer``.

    ``adamw`` (Loshchilov and Hutter, ICLR 2019: weight decay beside the gradient, not in it) takes the groups, rates
    and betas that the host gives ``adam``.
    """
    if optim != "adamw":
        return torchreid.optim.build_optimizer(model, optim=optim, **settings)
    adam = torchreid.optim.build_optimizer(model, optim="adam", **settings)
    kept = ("params", "lr", "betas", "eps", "weight_decay")
    return torch.optim.AdamW([{name: group[name] for name in kept} for group in adam.param_groups])
