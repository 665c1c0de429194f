"""The host's own transforms of silhouettes, done by our steps where these give the host's very numbers."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from plugins.errors import KpstraError
from plugins.keypoints.joints import JOINTS

from . import build_joint_transform
from .transform import JointTransform

REHEARSALS = 32  # draws that are compared before ours are used
FRAMES = 5  # of a sequence, for that: four that OpenCV warps at once, and one more


class LikeTheHosts:
    """A transform of the host for one modality, whose division may wait.

    The first sequence of each shape is transformed by both, from the same states of :mod:`random`; where a number or a
    draw differs, as in a host whose code was changed, the host's transform is used.

    Args:
        theirs: the host's transform.
        steps: ours, of the same names and arguments.
    """

    def __init__(self, theirs: Callable[[np.ndarray], np.ndarray], steps: JointTransform) -> None:
        self.theirs, self.steps = theirs, steps
        self.alike: dict[tuple[int, ...], bool] = {}

    def __call__(self, frames: np.ndarray) -> np.ndarray:
        """Transform a sequence as the host does."""
        return self.theirs(frames)

    def undivided(self, frames: np.ndarray) -> tuple[np.ndarray, float | None]:
        """Transform a sequence (s, H, W); return it and what it is still to be divided by, if anything."""
        if not isinstance(frames, np.ndarray) or frames.dtype != np.uint8 or frames.ndim != 3:
            return self.theirs(frames), None
        size = frames.shape[1:]
        if size not in self.alike:
            self.alike[size] = self._rehearse(frames[:FRAMES])
        return self.ours(frames) if self.alike[size] else (self.theirs(frames), None)

    def ours(self, frames: np.ndarray) -> tuple[np.ndarray, float | None]:
        """Transform by our steps; joints are no part of it, so that they may lie anywhere."""
        silhouettes, _, divisor = self.steps.undivided(frames, np.zeros((len(frames), JOINTS, 3), np.float32))
        return silhouettes, divisor

    def _rehearse(self, frames: np.ndarray) -> bool:
        before = random.getstate()
        try:
            return all(self._same(frames, seed) for seed in range(REHEARSALS))
        finally:
            random.setstate(before)

    def _same(self, frames: np.ndarray, seed: int) -> bool:
        random.seed(seed)
        expected, state = np.asarray(self.theirs(frames.copy()), np.float32), random.getstate()
        random.seed(seed)
        found, divisor = self.ours(frames)
        if state != random.getstate():
            return False
        quotients = found if divisor is None else np.divide(found, np.float32(divisor), dtype=np.float32)
        return np.array_equal(expected, quotients.astype(np.float32))


def like_the_hosts(node: Mapping[str, Any], theirs: Callable) -> Callable:
    """Return :class:`LikeTheHosts` for a transform of the settings, or the host's where we have no such steps.

    Args:
        node: ``{type: Compose, trf_cfg: [...]}`` or one of its parts.
        theirs: what the host built of it.

    Example:
        >>> like_the_hosts({"type": "NoOperation"}, abs) is abs
        True
    """
    try:
        return LikeTheHosts(theirs, build_joint_transform(list(parts(node)), "transform"))
    except KpstraError:
        return theirs


def parts(node: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Yield the transforms that follow one another in a node."""
    if node["type"] != "Compose":
        yield node
    else:
        for inner in node["trf_cfg"]:
            yield from parts(inner)
