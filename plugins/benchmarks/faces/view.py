"""All that is not the person: pose, expression, light, and the picture's quality."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class View:
    """How a person is seen; angles in degrees."""

    seed: int = 0  # of background and grain
    yaw: float = 0.0  # positive: the nose points to the right of the image
    pitch: float = 0.0  # positive: upwards
    roll: float = 0.0  # positive: clockwise
    smile: float = 0.0
    jaw: float = 0.0  # 0 closed, 1 wide open
    lids: float = 1.0  # 1 open
    brows: float = 0.0
    light: tuple[float, float, float] = (0.0, 0.4, 0.9)  # where it comes from: right, up, towards the camera
    ambient: float = 0.5  # share of the light that comes from everywhere
    brightness: float = 1.0
    tint: tuple[float, float, float] = (1.0, 1.0, 1.0)  # factors on R, G, B
    blur: float = 0.0  # pixels
    grain: float = 0.0  # standard deviation of the noise, of 255

    @classmethod
    def sample(cls, seed: int, strength: float = 1.0) -> View:
        """Draw a view; ``strength`` is a factor on pose, expression, light and noise."""
        rng = np.random.default_rng([seed, 21])
        yaw, pitch, roll = strength * rng.normal(0, (22, 9, 7)).clip((-50, -22, -20), (50, 22, 20))
        side, up = rng.normal(0, 0.9), rng.normal(0.4, 0.5)
        return cls(
            seed=seed,
            yaw=float(yaw),
            pitch=float(pitch),
            roll=float(roll),
            smile=float(strength * np.clip(rng.normal(0, 0.5), -1, 1.3)),
            jaw=float(strength * max(0.0, rng.normal(-0.1, 0.4))),
            lids=float(1 - strength * rng.uniform(0, 0.6)),
            brows=float(strength * rng.normal(0, 0.5)),
            light=(float(strength * side), float(up), 1.0),
            ambient=float(1 - strength * rng.uniform(0.3, 0.65)),
            brightness=float(np.exp(strength * rng.normal(0, 0.15))),
            tint=tuple(float(v) for v in np.exp(strength * rng.normal(0, 0.06, 3))),
            blur=float(strength * rng.uniform(0, 0.9)),
            grain=float(strength * rng.uniform(0, 8)),
        )
