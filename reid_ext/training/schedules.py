"""The schedule of a run's learning rate: the host's, and a warm-up before it."""

from __future__ import annotations

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LinearLR, LRScheduler, SequentialLR

from ..host import torchreid


def build_scheduler(optimizer: Optimizer, warmup_epoch: int = 0, max_epoch: int = 1, **settings) -> LRScheduler:
    """Return the host's scheduler for these arguments of its ``build_lr_scheduler``, behind a warm-up.

    In epoch e of ``warmup_epoch`` W, counted from 1, the rate is e / (W + 1) of the optimiser's. The host's schedule
    begins at epoch W + 1 with the whole rate: its steps are counted from there, and a cosine ends with ``max_epoch``.

    Example:
        >>> scheduler = build_scheduler(optimizer, warmup_epoch=3, lr_scheduler="cosine", max_epoch=36)
    """
    steady = torchreid.optim.build_lr_scheduler(optimizer, max_epoch=max_epoch - warmup_epoch, **settings)
    if not warmup_epoch:
        return steady
    rising = LinearLR(optimizer, start_factor=1 / (warmup_epoch + 1), total_iters=warmup_epoch)
    return SequentialLR(optimizer, [rising, steady], [warmup_epoch])
