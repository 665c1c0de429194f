"""What all losses share."""

from __future__ import annotations

import functools
from collections.abc import Callable

from torch import Tensor, distributed, nn
from utils import Odict, ddp_all_gather


class BaseLoss(nn.Module):
    """A loss with its weight ``loss_term_weight`` in the sum, and ``info``: what the log shows."""

    def __init__(self, loss_term_weight: float = 1.0) -> None:
        super().__init__()
        self.loss_term_weight = loss_term_weight
        self.info = Odict()

    def forward(self, logits: Tensor, labels: Tensor) -> tuple[Tensor | float, Odict]:
        """Return the loss and its info; subclasses override this."""
        return 0.0, self.info


def gather_and_scale_wrapper(func: Callable) -> Callable:
    """Let a loss see the named inputs of all processes, and undo DDP's division of its gradients by their number."""

    @functools.wraps(func)
    def gathered(*args, **tensors: Tensor) -> tuple[Tensor, Odict]:
        loss, info = func(*args, **{name: ddp_all_gather(tensor) for name, tensor in tensors.items()})
        return loss * distributed.get_world_size(), info

    return gathered
