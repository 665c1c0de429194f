"""The mean pose of a training set and the spread around it: what keypoints are standardised by."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from ...errors import KpstraError

LEAST_SPREAD = 1e-3  # of the image's side: a joint that never moves is divided by this


class MeanPose(nn.Module):
    """Buffers that travel in the checkpoint: ``mean`` and ``spread`` (L, 2) in [0, 1] of the input, ``count`` of poses.

    Until :meth:`set` or :meth:`fit` is called, or a checkpoint is loaded, the mean is 0, the spread 1 and the count 0.
    """

    def __init__(self, num_keypoints: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(num_keypoints, 2))
        self.register_buffer("spread", torch.ones(num_keypoints, 2))
        self.register_buffer("count", torch.zeros((), dtype=torch.long))
        self._looked = False

    def warn_unless_set(self, what: str) -> None:
        """Warn once that ``what`` has no mean pose; waits for the device once."""
        if not self._looked and not torch.compiler.is_compiling():
            self._looked = True
            if not int(self.count):
                warnings.warn(
                    f"KP-RPE: {what}: call handle.fit_pose(points) with poses of the training set", stacklevel=2
                )

    @torch.no_grad()
    def set(self, mean: Tensor, spread: Tensor, count: int = 1) -> None:
        """Set the statistics; a network that was trained with others computes something else afterwards.

        Raises:
            KpstraError: wrong shapes, NaN or infinite values, or a spread that is not positive.
        """
        for name, value in (("mean", mean), ("spread", spread)):
            if value.shape != self.mean.shape or not torch.isfinite(value).all():
                raise KpstraError(
                    f"KP-RPE: pose {name}: expected {tuple(self.mean.shape)} finite numbers, got {tuple(value.shape)}"
                )
        if not (spread > 0).all():
            raise KpstraError(f"KP-RPE: pose spread: {spread.min():.4g}: expected numbers above 0")
        self.mean.copy_(mean)
        self.spread.copy_(spread)
        self.count.fill_(count)

    def fit(self, points: Tensor, confidence: Tensor | None = None) -> None:
        """Set the statistics to the :func:`moments` of poses (..., L, 2), weighted by their confidences (..., L)."""
        self.set(*moments(points, confidence), count=points.shape[:-2].numel())


@contextmanager
def unwarned(module: nn.Module) -> Iterator[None]:
    """Let no mean pose in ``module`` warn inside the block; a forward after it warns as if there had been none."""
    poses = [m for m in module.modules() if isinstance(m, MeanPose)]
    before = [pose._looked for pose in poses]
    for pose in poses:
        pose._looked = True
    try:
        yield
    finally:
        for pose, looked in zip(poses, before, strict=True):
            pose._looked = looked


@torch.no_grad()
def moments(points: Tensor, confidence: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """Return mean and standard deviation (L, 2) of every joint of poses (..., L, 2), in double precision.

    Confidences (..., L) weight the poses; a joint that no pose has is given the middle of the image and spread 1.
    The spread is at least 0.001.
    """
    points = points.double().flatten(0, -3)  # poses, L, 2
    weight = torch.ones_like(points[..., 0]) if confidence is None else confidence.double().flatten(0, -2)
    weight = weight.unsqueeze(-1)
    points = torch.where(weight > 0, points, 0.0)
    total = weight.sum(0)
    known = total > 0
    mean = torch.where(known, (weight * points).sum(0) / total.clamp(min=1e-12), 0.5)
    variance = (weight * (points - mean).square()).sum(0) / total.clamp(min=1e-12)
    return mean, torch.where(known, variance.sqrt().clamp(min=LEAST_SPREAD), 1.0)
