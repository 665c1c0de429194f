"""The steps of a joint transform, one after another; silhouettes stay bytes as long as that gives the same numbers."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from plugins.errors import KpstraError

from .steps import BaseSilTransform, Pair, RandomStep


class JointTransform:
    """A function of silhouettes (s, H, W) and keypoints (s, L, 3); ``key`` names it in errors.

    Example:
        >>> transform = JointTransform([BaseSilTransform()], "joint_transform")
        >>> transform(np.full((1, 2, 2), 255, np.uint8), np.zeros((1, 17, 3), np.float32))[0].tolist()
        [[[1.0, 1.0], [1.0, 1.0]]]
    """

    def __init__(self, steps: Sequence[Callable[..., Pair]], key: str) -> None:
        self.steps, self.key = steps, key

    def __call__(self, silhouettes: np.ndarray, keypoints: np.ndarray) -> Pair:
        """Take every step; divided silhouettes are float64, as OpenGait's.

        Raises:
            KpstraError: unequal numbers of frames, or what a step says.
        """
        self._check(silhouettes, keypoints)
        for step in self.steps:
            silhouettes, keypoints = step(silhouettes, keypoints)
        return silhouettes, keypoints

    def undivided(self, silhouettes: np.ndarray, keypoints: np.ndarray) -> tuple[np.ndarray, np.ndarray, float | None]:
        """Take every step, but let the division wait.

        Whole numbers of a byte are mirrored, erased and left alone as they are; a step that needs their quotients, such
        as a rotation that was drawn, gets them in float64.

        Returns:
            Silhouettes, keypoints, and what the silhouettes are still to be divided by, if anything. Dividing them in
            float32 gives bit for bit what ``__call__`` gives, rounded (from 53 to 24 bits, rounding twice is harmless).
        """
        self._check(silhouettes, keypoints)
        divisor = None
        for step in self.steps:
            if divisor is None:
                if isinstance(step, BaseSilTransform) and silhouettes.dtype == np.uint8:
                    divisor = step.divsor
                    silhouettes, keypoints = step.cut(silhouettes, keypoints)
                    continue
            elif not step.keeps_values:
                if isinstance(step, RandomStep):
                    if not step.drawn():
                        continue
                    step = step.take
                silhouettes, divisor = silhouettes / divisor, None
            silhouettes, keypoints = step(silhouettes, keypoints)
        return silhouettes, keypoints, divisor

    def _check(self, silhouettes: np.ndarray, keypoints: np.ndarray) -> None:
        if len(silhouettes) != len(keypoints):
            raise KpstraError(f"{self.key}: {len(silhouettes)} silhouettes with keypoints of {len(keypoints)} frames")
