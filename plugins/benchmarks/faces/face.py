"""A person: the shape of the head and its features, and colours."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np

LIMIT = 2.2  # standard deviations


def trait(mean: float, spread: float) -> Any:
    """A field that differs between people: its mean, and the standard deviation around it."""
    return field(default=mean, metadata={"spread": spread})


@dataclass(frozen=True)
class Face:
    """Lengths in units of half a head's height, more or less; positions as longitude u and latitude v, in radians.

    u grows to the right of the image of a person who looks at the camera, v upwards.

    Example:
        >>> Face.sample(seed=7).width == Face.sample(seed=7).width
        True
    """

    # the head
    width: float = trait(0.75, 0.035)
    height: float = trait(1.1, 0.035)
    depth: float = trait(0.85, 0.04)
    jaw: float = trait(0.28, 0.09)  # how much narrower the chin is
    chin: float = trait(0.05, 0.03)
    cheeks: float = trait(0.05, 0.025)
    # eyes and brows
    eyes_u: float = trait(0.42, 0.025)
    eyes_v: float = trait(0.12, 0.02)
    eye_width: float = trait(0.135, 0.012)
    eye_height: float = trait(0.062, 0.009)
    eye_tilt: float = trait(0.05, 0.07)
    sockets: float = trait(0.06, 0.02)
    brow_height: float = trait(0.19, 0.025)  # above the eyes
    brow_thickness: float = trait(0.035, 0.01)
    brow_width: float = trait(0.19, 0.02)
    brow_tilt: float = trait(0.05, 0.12)
    # nose and mouth
    nose_v: float = trait(-0.22, 0.03)
    nose_length: float = trait(0.22, 0.05)  # of the bridge, how far it stands out
    nose_width: float = trait(0.13, 0.018)
    mouth_v: float = trait(-0.55, 0.025)
    mouth_width: float = trait(0.27, 0.022)
    upper_lip: float = trait(0.045, 0.011)
    lower_lip: float = trait(0.06, 0.013)
    # colours: 0 to 1 along a scale, or an amount
    skin: float = trait(0.5, 0.22)  # light to dark
    red: float = trait(0.0, 0.04)
    hair: float = trait(0.5, 0.3)  # dark to fair
    hairline: float = trait(0.72, 0.09)
    iris: float = trait(0.5, 0.3)  # brown to blue
    lips: float = trait(0.4, 0.15)  # as the skin to red
    beard: float = trait(0.1, 0.16)

    @classmethod
    def sample(cls, seed: int, spread: float = 1.0) -> Face:
        """Draw a person; ``spread`` is a factor on the differences between people."""
        rng = np.random.default_rng([seed, 20])
        drawn = {one.name: rng.standard_normal() for one in fields(cls)}
        return cls(
            **{
                one.name: one.default + spread * one.metadata["spread"] * float(np.clip(drawn[one.name], -LIMIT, LIMIT))
                for one in fields(cls)
            }
        )
