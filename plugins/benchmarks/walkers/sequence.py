"""What is not the person: view, clothes, noise, misalignment and the moment at which a sequence begins."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from ...errors import KpstraError
from .alignment import Alignment

FPS = 25.0  # frames a second


@dataclass(frozen=True)
class Sequence:
    """One recording of a walker: its nuisances.

    ``azimuth`` 0 sees the person's front, 90 a walk to the right of the picture, 180 the back, 270 a walk to the left.
    """

    seed: int = 0  # of what is drawn frame by frame
    azimuth: float = 90.0  # degrees
    turn: float = 0.0  # degrees by which the azimuth grows from the first frame to the last
    elevation: float = 0.0  # degrees by which the camera looks down
    phase: float = 0.0  # radians, of the gait cycle in the first frame
    speed: float = 1.0  # factor on the cadence; the stride goes with its root
    drift: float = 0.0  # relative growth of the cadence from the first frame to the last
    clothing: float = 1.0  # factor on the thickness of trunk and limbs
    coat: float = 0.0  # hem between the hips (0: no coat) and the knees (1)
    bag: float = 0.0  # radius in metres of a bag on the back; 0: none
    noise: float = 0.0  # of the silhouette: ragged edges, holes, missing and added patches; 0 none, 1 bad
    joint_noise: float = 0.0  # standard deviation of the joints, as a share of the frame's height
    joint_errors: float = 0.0  # of a pose network: coarse, missed and swapped joints; 0 none, 1 usual
    alignment: Alignment = field(default_factory=Alignment)

    @classmethod
    def sample(
        cls,
        seed: int,
        azimuth: float,
        *,
        view_jitter: float = 0.0,
        clothing: float = 0.0,
        noise: float = 0.0,
        joint_noise: float = 0.0,
        joint_errors: float = 0.0,
        alignment: float = 0.0,
    ) -> Sequence:
        """Draw the nuisances of one sequence; the same arguments give the same ones.

        Args:
            seed: not negative.
            azimuth: of the walk before it is jittered, degrees.
            view_jitter: largest change of the azimuth, degrees; a third of it is the largest turn in the sequence.
            clothing: 0 always plain; 1 coats, bags and up to 30 % thicker clothes.
            noise: ``Sequence.noise``.
            joint_noise: ``Sequence.joint_noise``.
            joint_errors: ``amount`` of :func:`.pose_errors.pose_errors`.
            alignment: severity of :meth:`Alignment.of`; 0 none, 1 strong.

        Raises:
            KpstraError: a negative or absurd amount.
        """
        amounts = {
            "seed": seed,
            "clothing": clothing,
            "noise": noise,
            "joint noise": joint_noise,
            "joint errors": joint_errors,
            "alignment error": alignment,
        }
        for name, amount in amounts.items():
            if not 0 <= amount <= (10 if name != "seed" else 2**63):
                raise KpstraError(f"walkers: {name} {amount}: expected 0 (none) to 10; 1 is strong")
        if not 0 <= view_jitter <= 180:
            raise KpstraError(f"walkers: view jitter {view_jitter}: expected 0 to 180 degrees")
        rng = np.random.default_rng([seed, 2])
        u = rng.uniform(-1, 1, 4)
        phase, wear, has_coat, has_bag, length, size = rng.random(6)
        return cls(
            seed=seed,
            azimuth=float((azimuth + view_jitter * u[0]) % 360),
            turn=float(view_jitter / 3 * u[1]),
            elevation=float(5 + 5 * u[2]) if view_jitter else 0.0,
            phase=float(2 * np.pi * phase),
            speed=float(1 + 0.08 * u[3]),
            drift=float(rng.uniform(-0.08, 0.08)),
            clothing=float(1 + 0.3 * clothing * wear),
            coat=float(0.3 + 0.7 * length) if has_coat < 0.35 * clothing else 0.0,
            bag=float(0.1 + 0.08 * size) if has_bag < 0.3 * clothing else 0.0,
            noise=noise,
            joint_noise=joint_noise,
            joint_errors=joint_errors,
            alignment=Alignment.of(alignment),
        )
