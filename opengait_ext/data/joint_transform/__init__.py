"""Augmentation of silhouettes and keypoints together: ``joint_transform`` of ``trainer_cfg`` and ``evaluator_cfg``.

OpenGait applies one transform to each modality on its own, so a rotation of the silhouettes would leave the keypoints
behind. A joint transform is a list of steps under the names of OpenGait's transforms, drawn once for a sequence; on the
silhouettes each step equals OpenGait's for the same state of :mod:`random`. ``RandomSimilarity`` and ``DrawJoints`` are
ours.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Mapping, Sequence

from plugins.errors import KpstraError, nearest

from .steps import STEPS, Pair
from .transform import JointTransform

SHARES, POSITIVE = ("prob", "sl", "sh", "r1", "shift", "level"), ("divsor", "r1")


def build_joint_transform(config: Sequence[Mapping] | Mapping | None, key: str) -> JointTransform:
    """Build the steps of a YAML node ``[{type: RandomRotate, prob: 0.2}, ...]``; ``key`` names it in errors.

    Returns:
        A function of silhouettes (s, H, W) and keypoints (s, L, 3), pixels of the silhouettes and score, giving both.

    Raises:
        KpstraError: unknown step or argument.
    """
    nodes = [config] if isinstance(config, Mapping) else config or []
    if not isinstance(nodes, Sequence):
        raise KpstraError(f"{key}: {config!r}: expected a list of steps")
    return JointTransform([_build(node, f"{key}.{i}") for i, node in enumerate(nodes)], key)


def _build(node: Mapping, key: str) -> Callable[..., Pair]:
    if not isinstance(node, Mapping) or "type" not in node:
        raise KpstraError(f"{key}: {node!r}: expected a step such as {{type: RandomRotate, prob: 0.2}}")
    arguments = dict(node)
    name = arguments.pop("type")
    if not isinstance(name, str) or name not in STEPS:
        raise KpstraError(f"{key}.type: {name!r} is not one of {', '.join(STEPS)}{nearest(str(name), STEPS)}")
    known = inspect.signature(STEPS[name]).parameters
    for argument in arguments:
        if argument not in known:
            raise KpstraError(f"{key}.{argument}: {name} has no such argument{nearest(argument, known)}")
        _check_number(argument, arguments[argument], known[argument].default, f"{key}.{argument}")
    return STEPS[name](**arguments)


def _check_number(argument: str, value: object, default: object, key: str) -> None:
    """Refuse other things than finite numbers, where the step takes one; shares lie between 0 and 1."""
    if isinstance(default, bool):
        if not isinstance(value, bool):
            raise KpstraError(f"{key}: {value!r}: expected true or false")
        return
    if value is None and default is None:
        return
    if not isinstance(value, (int, float)) or isinstance(value, bool) or not math.isfinite(value) or value < 0:
        raise KpstraError(f"{key}: {value!r}: expected a number from 0")
    if argument in SHARES and value > 1:
        raise KpstraError(f"{key}: {value!r}: expected a share from 0 to 1")
    if argument in POSITIVE and not value:
        raise KpstraError(f"{key}: {value!r}: expected a number above 0")
    if argument == "cutting" and not isinstance(value, int):
        raise KpstraError(f"{key}: {value!r}: expected a whole number of columns")
