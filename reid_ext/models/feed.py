"""Networks that take keypoints beside images, in engines that call ``model(images)``.

A network says so by ``takes_keypoints = True``, and by ``num_joints`` how many, 17 if it does not say; its forward is
``(images (B, 3, H, W), keypoints (B, joints, 3))``, x and y in pixels of the images and a score, all 0 where a joint is
absent.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from plugins.keypoints.joints import JOINTS
from plugins.kprpe.position.pose import unwarned

from ..host import torchreid


def takes_keypoints(model: nn.Module) -> bool:
    """Whether a model, also inside DataParallel, takes keypoints."""
    return bool(getattr(_inner(model), "takes_keypoints", False))


def joints_taken(model: nn.Module) -> int:
    """Return how many joints a model takes, also inside DataParallel."""
    return getattr(_inner(model), "num_joints", JOINTS)


def _inner(model: nn.Module) -> nn.Module:
    return model.module if isinstance(model, nn.DataParallel) else model


class KeypointFeed:
    """Gives a model keypoints with the next images that it is called with alone.

    >>> feed = KeypointFeed(model)
    >>> feed.give(keypoints)
    >>> model(images)  # is model(images, keypoints)
    """

    def __init__(self, model: nn.Module) -> None:
        self._next: Tensor | None = None
        self.handle = model.register_forward_pre_hook(self._pass)

    def give(self, keypoints: Tensor) -> None:
        """Keep (B, L, 3), or (B, T, L, 3) of tracklets whose frames are the images, for the next call."""
        self._next = keypoints.flatten(0, -3)

    def _pass(self, _: nn.Module, arguments: tuple[Any, ...]) -> tuple[Any, ...] | None:
        if len(arguments) != 1 or self._next is None:
            return None
        keypoints, self._next = self._next, None
        return arguments[0], keypoints.to(arguments[0].device, non_blocking=True)


def complexity(model: nn.Module, size: tuple[int, int, int, int]) -> tuple[int, int]:
    """Return parameters and operations, counted by the host, for images of ``size``; keypoints are zeros."""
    with unwarned(model):  # it is counted before its mean pose is there
        if not takes_keypoints(model):
            return torchreid.utils.compute_model_complexity(model, size)
        feed = KeypointFeed(model)
        feed.give(torch.zeros(size[0], joints_taken(model), 3))
        try:
            return torchreid.utils.compute_model_complexity(model, size)
        finally:
            feed.handle.remove()
