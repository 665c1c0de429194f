"""Who walks: proportions of the body and habits of the gait."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...errors import KpstraError

# name: mean, standard deviation, lowest, highest. Lengths are shares of the height, means after anthropometric tables.
SPREADS = {
    "height": (1.71, 0.09, 1.45, 2.0),
    "thigh": (0.245, 0.010, 0.21, 0.28),
    "shank": (0.243, 0.010, 0.21, 0.28),
    "foot": (0.148, 0.008, 0.12, 0.17),
    "torso": (0.288, 0.012, 0.25, 0.33),
    "neck": (0.030, 0.007, 0.012, 0.05),
    "head": (0.066, 0.004, 0.055, 0.08),
    "shoulders": (0.108, 0.009, 0.08, 0.135),
    "hips": (0.050, 0.005, 0.036, 0.066),
    "upper_arm": (0.176, 0.008, 0.15, 0.20),
    "forearm": (0.148, 0.007, 0.125, 0.17),
    "waist": (0.080, 0.011, 0.055, 0.12),
    "belly": (0.062, 0.010, 0.042, 0.10),
    "girth": (1.0, 0.13, 0.7, 1.45),
    "cadence": (0.92, 0.07, 0.75, 1.15),
    "stride": (0.42, 0.055, 0.28, 0.58),
    "knee_lift": (0.95, 0.12, 0.6, 1.3),
    "arm_swing": (0.45, 0.17, 0.08, 0.95),
    "elbow": (0.32, 0.18, 0.03, 0.95),
    "arm_spread": (0.12, 0.05, 0.02, 0.3),
    "bounce": (1.0, 0.35, 0.2, 2.0),
    "sway": (0.012, 0.006, 0.0, 0.035),
    "lean": (0.04, 0.05, -0.09, 0.2),
    "head_lean": (0.15, 0.10, -0.1, 0.5),
    "shoulder_turn": (0.13, 0.05, 0.0, 0.3),
    "pelvis_turn": (0.10, 0.04, 0.0, 0.25),
    "step_width": (0.050, 0.018, 0.01, 0.12),
    "toe_out": (0.12, 0.09, -0.15, 0.45),
    "asymmetry": (0.0, 0.10, -0.3, 0.3),
}


@dataclass(frozen=True)
class Identity:
    """One person. Lengths are shares of ``height`` unless said, angles in radians."""

    height: float  # metres
    thigh: float
    shank: float
    foot: float
    torso: float  # hips to shoulders
    neck: float
    head: float  # half the height of the head
    shoulders: float  # half the distance of the shoulder joints
    hips: float  # half the distance of the hip joints
    upper_arm: float
    forearm: float
    waist: float  # half its width
    belly: float  # half the trunk's depth at the waist
    girth: float  # factor on the thickness of limbs and trunk
    cadence: float  # strides (two steps) a second
    stride: float  # amplitude of the hip angle
    knee_lift: float  # largest bend of the knee in swing
    arm_swing: float  # amplitude of the shoulder angle
    elbow: float  # bend of the elbow
    arm_spread: float  # angle of the arms to the sides
    bounce: float  # factor on the rise and fall of the body that the legs make
    sway: float  # sideways
    lean: float  # of the trunk, forwards
    head_lean: float  # of neck and head, forwards, beyond the trunk's
    shoulder_turn: float  # amplitude around the vertical, against the pelvis
    pelvis_turn: float
    step_width: float  # half the distance of the feet's tracks
    toe_out: float
    asymmetry: float  # by how much the right leg is late for half a cycle

    @classmethod
    def sample(cls, seed: int, spread: float = 1.0) -> Identity:
        """Draw a person; the same seed gives the same one.

        Args:
            seed: not negative.
            spread: factor on the differences between people; 0 makes all alike.

        Raises:
            KpstraError: a negative seed or spread.
        """
        if seed < 0 or not 0 <= spread <= 10:
            raise KpstraError(f"walkers: seed {seed} and spread {spread}: expected a seed of 0 or more, spread 0 to 10")
        draws = np.random.default_rng([seed, 1]).standard_normal(len(SPREADS))
        values = {}
        for (name, (mean, deviation, low, high)), draw in zip(SPREADS.items(), draws, strict=True):
            values[name] = float(np.clip(mean + spread * deviation * draw, low, high))
        return cls(**values)
