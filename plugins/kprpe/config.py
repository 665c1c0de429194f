"""The settings of KP-RPE in a network."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace

from ..errors import KpstraError, nearest, one_of
from .position.buckets import DISTANCES
from .position.rotary import ROTARY
from .position.table import FORMULATIONS, KEYPOINTS
from .position.window_queries import GRIDS, default_grid

MODES = ("replace", "add")


@dataclass(frozen=True)
class KPRPEConfig:
    """What to inject.

    Args:
        num_keypoints: L.
        formulation, distance, ratio: see :class:`KeypointRPE`.
        standardised, keypoints, rotary: see :class:`KeypointRPE`. Where they need a mean pose,
            :meth:`KPRPEHandle.fit_pose` gives it.
        grid: ``window`` or ``image``, see :class:`WindowedKeypointRPE`; windowed attention only. ``None``:
            ``image`` for the forms with interaction, ``window`` (the paper) for the others.
        mode: ``replace`` the host's position table (the paper), or ``add`` to it.
        scale_bias: divide the bias by sqrt(d), as eq. 5 is written and the authors' code does not.
        feature_size: (H, W) of the attention's tokens, for ``grid="image"`` where the network does not tell (OpenGait).
    """

    num_keypoints: int
    formulation: str = "multihead"
    distance: str = "product"
    ratio: float = 1.9
    standardised: bool = False
    keypoints: str = "given"
    rotary: str = "none"
    grid: str | None = None
    mode: str = "replace"
    scale_bias: bool = False
    feature_size: tuple[int, int] | None = None

    def __post_init__(self) -> None:
        choices = {
            "formulation": FORMULATIONS,
            "distance": DISTANCES,
            "keypoints": KEYPOINTS,
            "rotary": ROTARY,
            "grid": GRIDS if self.grid is not None else (None,),
            "mode": MODES,
            "standardised": (True, False),
            "scale_bias": (True, False),
        }
        for name, options in choices.items():
            one_of(getattr(self, name), options, f"kprpe.{name}")
        size = self.feature_size
        numbers = {
            "num_keypoints": (_counts(self.num_keypoints), "a whole number from 1"),
            "ratio": (_is(self.ratio, int, float) and 0 < self.ratio < math.inf, "a number above 0"),
            "feature_size": (size is None or (_is(size, tuple, list) and len(size) == 2 and _counts(*size)), "(H, W)"),
        }
        for name, (right, expected) in numbers.items():
            if not right:
                raise KpstraError(f"kprpe.{name}: {getattr(self, name)!r}: expected {expected}")

    @property
    def windows_grid(self) -> str:
        """The grid of windowed attention: the one given, or the formulation's default."""
        return self.grid or default_grid(self.formulation, self.rotary)

    @classmethod
    def of(cls, config: KPRPEConfig | Mapping, **overrides) -> KPRPEConfig:
        """Build from a mapping (a YAML node); unknown keys are errors with the nearest name."""
        if not isinstance(config, (cls, Mapping)):
            raise KpstraError(f"kprpe: {config!r}: expected a KPRPEConfig or a mapping such as {{'num_keypoints': 17}}")
        given = {**(config if isinstance(config, Mapping) else {}), **overrides}
        known = [field.name for field in fields(cls)]
        for key, value in given.items():
            if key not in known:
                raise KpstraError(f"kprpe.{key}: {value!r}: unknown key{nearest(key, known)}")
        if isinstance(config, Mapping):
            if "num_keypoints" not in given:
                raise KpstraError("kprpe.num_keypoints: missing; 17 for COCO joints")
            return cls(**given)
        return replace(config, **given)


def _is(value: object, *types: type) -> bool:
    return isinstance(value, types) and not isinstance(value, bool)


def _counts(*values: object) -> bool:
    return all(_is(value, int) and value >= 1 for value in values)
