"""KP-RPE's settings where modes take the place of keypoints."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..errors import KpstraError
from ..kprpe import KPRPEConfig

FITTED = "rests on the mean pose that fit_pose finds before training, and modes move while they are trained"


def modes_config(groups: int, settings: Mapping[str, Any]) -> KPRPEConfig:
    """Return the settings of KP-RPE for G modes.

    Args:
        groups: G, which is ``num_keypoints``.
        settings: other fields of :class:`plugins.kprpe.KPRPEConfig`; ``keypoints: constant`` is the control: the modes
            are found and kept apart, and all images are given the mean pose in their place.

    Raises:
        KpstraError: an unknown key or value, another number of keypoints, or a form that needs a pose.

    Example:
        >>> modes_config(8, {"formulation": "nonlinear"}).num_keypoints
        8
    """
    given = settings.get("num_keypoints", groups)
    if given != groups:
        raise KpstraError(f"kprpe.num_keypoints: {given!r}: the keypoints are the {groups} modes; leave it out")
    config = KPRPEConfig.of({**settings, "num_keypoints": groups})
    if config.standardised:
        raise KpstraError(f"kprpe.standardised: True: {FITTED}; leave it out")
    if config.rotary == "body":
        raise KpstraError(f"kprpe.rotary: 'body': {FITTED}; choose none or image")
    return config
