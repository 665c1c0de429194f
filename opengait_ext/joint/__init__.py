"""Augmentation of silhouettes and keypoints together: ``joint_transform`` of ``trainer_cfg`` and ``evaluator_cfg``.

OpenGait applies one transform to each modality on its own, so a rotation of the silhouettes would leave the keypoints
behind. A joint transform is a list of steps under the names of OpenGait's transforms, drawn once for a sequence; on the
silhouettes each step equals OpenGait's for the same state of :mod:`random`.
"""
from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from plugins.errors import KpstraError, nearest

from .steps import STEPS

Pair = tuple[np.ndarray, np.ndarray]
Joint = Callable[[np.ndarray, np.ndarray], Pair]


def build_joint_transform(config: Sequence[Mapping] | Mapping | None, key: str) -> Joint:
    """Build the steps of a YAML node ``[{type: RandomRotate, prob: 0.2}, ...]``; ``key`` names it in errors.

    Returns:
        A function of silhouettes (s, H, W) and keypoints (s, L, 3), pixels of the silhouettes and score, giving both.

    Raises:
        KpstraError: unknown step or argument.
    """
    nodes = [config] if isinstance(config, Mapping) else config or []
    if not isinstance(nodes, Sequence):
        raise KpstraError(f"{key}: {config!r}: expected a list of steps")
    steps = [_build(node, f"{key}.{i}") for i, node in enumerate(nodes)]

    def joint_transform(silhouettes: np.ndarray, keypoints: np.ndarray) -> Pair:
        if len(silhouettes) != len(keypoints):
            raise KpstraError(f"{key}: {len(silhouettes)} silhouettes with keypoints of {len(keypoints)} frames")
        for step in steps:
            silhouettes, keypoints = step(silhouettes, keypoints)
        return silhouettes, keypoints

    return joint_transform


def _build(node: Mapping, key: str) -> Joint:
    if not isinstance(node, Mapping) or "type" not in node:
        raise KpstraError(f"{key}: {node!r}: expected a step such as {{type: RandomRotate, prob: 0.2}}")
    arguments = dict(node)
    name = arguments.pop("type")
    if name not in STEPS:
        raise KpstraError(f"{key}.type: {name!r} is not one of {', '.join(STEPS)}{nearest(name, STEPS)}")
    known = inspect.signature(STEPS[name]).parameters
    for argument in arguments:
        if argument not in known:
            raise KpstraError(f"{key}.{argument}: {name} has no such argument{nearest(argument, known)}")
    return STEPS[name](**arguments)
