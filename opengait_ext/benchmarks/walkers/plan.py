"""Which sequences there are, and the partition into training, probes and gallery."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from plugins.benchmarks.walkers import BODIES, Identity, Sequence, require_bodies
from plugins.errors import KpstraError

GALLERY = 10  # evaluate_Gait3D reports rank-10


@dataclass(frozen=True)
class Settings:
    """What walkers are made of; the command line's options."""

    identities: int = 360
    train: int = 240  # of the identities, the first ones
    validation: int = 60  # of the others, to choose settings on; the rest are tested
    sequences: int = 8  # of each identity
    probes: int = 2  # of the sequences of each who is not trained on
    frames: int = 12  # of each sequence
    seed: int = 0
    cameras: int = 3  # azimuths, evenly over the half circle; people walk either way
    view_jitter: float = 10.0  # degrees
    spread: float = 3.0  # factor on the differences between people
    clothing: float = 0.0  # 0 plain, 1 coats, bags and thick clothes
    noise: float = 0.05  # of the silhouettes
    joint_noise: float = 0.005  # standard deviation, as a share of the raw frame's height
    alignment_error: float = 0.0  # 1 strong
    train_alignment_error: float | None = None  # of the training sequences; as alignment_error if not given
    raw: bool = False  # Gait3D's raw layout
    bodies: str = "simple"  # or anny
    joint_errors: float | None = None  # of a pose network, 1 usual; none for simple bodies, 1 for others if not given

    def check(self) -> None:
        """Check the counts.

        Raises:
            KpstraError: counts that give no training or no test; the amounts are checked where they are used.
        """
        test, left = self.identities - self.train - self.validation, self.sequences - self.probes
        wrong = {
            f"--train {self.train}: expected at least 1 and fewer than --identities {self.identities}": not 1
            <= self.train
            < self.identities,
            f"--validation {self.validation}: expected 0, or more that leave some of --identities {self.identities} to "
            f"test beside --train {self.train}": self.validation < 0 or test < 1,
            f"--identities {self.identities}: expected at most 9999": self.identities > 9999,
            f"--frames {self.frames}: expected 1 to 10000": not 1 <= self.frames <= 10000,
            f"--sequences {self.sequences}: expected at most 1000": self.sequences > 1000,
            f"--cameras {self.cameras}: expected 1 to 99": not 1 <= self.cameras <= 99,
            f"--probes {self.probes}: expected at least 1 and fewer than --sequences {self.sequences}": not 1
            <= self.probes
            < self.sequences,
            f"--identities {self.identities}: {test * left} gallery sequences ({test} test identities of {left}); "
            f"evaluation needs {GALLERY}": test * left < GALLERY,
            f"--validation {self.validation}: {self.validation * left} gallery sequences; evaluation needs {GALLERY}": (
                0 < self.validation * left < GALLERY
            ),
        }
        for message, is_so in wrong.items():
            if is_so:
                raise KpstraError(message)
        require_bodies(self.bodies)
        for identity in (0, self.train):
            self.sequence(identity, 0)
        self.identity(0)

    def as_json(self) -> dict[str, Any]:
        """All settings, as ``walkers.json`` holds them."""
        settings = {"format": 1, **asdict(self), "train_alignment_error": self.error_of(0)}
        bodies = {"bodies": self.bodies, "joint_errors": self.found_with()}
        for name, plain in (("bodies", "simple"), ("joint_errors", 0.0)):  # plain ones are left out, as they once were
            settings.pop(name)
            if bodies[name] != plain:
                settings[name] = bodies[name]
        return settings

    def names(self) -> list[str]:
        """``<id>/<type>/<view>`` of all sequences; identities count from 0001, training ones first."""
        return [self.name(i, k) for i in range(self.identities) for k in range(self.sequences)]

    def name(self, identity: int, number: int) -> str:
        """``<id>/<type>/<view>`` of one sequence."""
        return f"{identity + 1:04d}/camid{self.camera(identity, number) + 1}_videoid{number}/seq0"

    def camera(self, identity: int, number: int) -> int:
        """The camera of a sequence, from 0; probes are spread over all."""
        return (identity + number) % self.cameras

    def partition(self, validation: bool = False) -> dict[str, list[str]]:
        """TRAIN_SET, TEST_SET and PROBE_SET; the first sequences of each test identity are probes.

        Args:
            validation: with the people for validation as TEST_SET, instead of those to test.
        """
        ids, border = [f"{i + 1:04d}" for i in range(self.identities)], self.train + self.validation
        tested = range(self.train, border) if validation else range(border, self.identities)
        probes = [self.name(i, k).replace("/", "-") for i in tested for k in range(self.probes)]
        return {"TRAIN_SET": ids[: self.train], "TEST_SET": [ids[i] for i in tested], "PROBE_SET": probes}

    def error_of(self, identity: int) -> float:
        """The alignment error of an identity's sequences."""
        given = self.train_alignment_error
        return given if identity < self.train and given is not None else self.alignment_error

    def found_with(self) -> float:
        """The errors with which joints are found: ``Sequence.joint_errors``."""
        return float(self.bodies != "simple") if self.joint_errors is None else self.joint_errors

    def identity(self, identity: int) -> Identity:
        """Draw the person of an index."""
        seed = int(np.random.default_rng([self.seed, 0, identity]).integers(2**31))
        return BODIES[self.bodies].sample(seed, self.spread)

    def sequence(self, identity: int, number: int) -> Sequence:
        """Draw the nuisances of an identity's sequence."""
        if self.seed < 0:
            raise KpstraError(f"--seed {self.seed}: expected 0 or more")
        rng = np.random.default_rng([self.seed, 1, identity, number])
        azimuth = 180 * self.camera(identity, number) / self.cameras + 180 * int(rng.integers(2))
        return Sequence.sample(
            int(rng.integers(2**31)),
            azimuth,
            view_jitter=self.view_jitter,
            clothing=self.clothing,
            noise=self.noise,
            joint_noise=self.joint_noise,
            joint_errors=self.found_with(),
            alignment=self.error_of(identity),
        )
