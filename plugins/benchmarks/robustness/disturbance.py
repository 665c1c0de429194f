"""What a person's misalignment consists of: kinds of error, what severity 1 of each is, and the draws."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import NamedTuple

from ...errors import KpstraError, one_of
from ..walkers import Alignment

STRONG = Alignment.of(1)


class Kind(NamedTuple):
    """A kind of error: fields of :class:`Disturbance` at severity 1, and the axis of its panel."""

    strong: dict[str, float]
    unit: str
    factor: float  # severity 1 in this unit

    def amount(self, severity: float, unit: str | None = None) -> str:
        """Return a severity in the error's own unit, or in a host's name for it."""
        unit, number = unit or self.unit, f"{severity * self.factor:.3g}"
        return number if unit == "severity" else f"{number} {unit}"


MOVED = {"translation": STRONG.translation, "scale": STRONG.scale, "rotation": STRONG.rotation, "crop": 0.15}
KINDS = {
    "translation": Kind({"translation": STRONG.translation}, "% of the height", 100 * STRONG.translation),
    "scale": Kind({"scale": STRONG.scale}, "% of the size", 100 * STRONG.scale),
    "rotation": Kind({"rotation": STRONG.rotation}, "degrees", STRONG.rotation),
    "crop": Kind({"crop": 0.15}, "% of the person", 15.0),
    "together": Kind(MOVED, "severity", 1.0),
    "occlusion": Kind({"occlusion": 0.25}, "% of the person's box", 25.0),
    "joint-noise": Kind({"joint_noise": 0.05}, "% of the height", 5.0),
    "joint-dropout": Kind({"joint_dropout": 0.5}, "% of the joints", 50.0),
}
SHARES = ("occlusion", "joint-dropout")  # severity is the share itself, of the others a standard deviation


@dataclass(frozen=True)
class Disturbance:
    """Standard deviations of the errors of one point of a curve."""

    translation: float = 0.0  # share of the frame's height
    scale: float = 0.0  # of the logarithm of the size
    rotation: float = 0.0  # degrees
    crop: float = 0.0  # share of the person's height or width
    occlusion: float = 0.0  # share of the person's box; no deviation but the value itself
    joint_noise: float = 0.0  # share of the frame's height
    joint_dropout: float = 0.0  # share of the joints, in gait of the frames of each; no deviation but the value itself

    @classmethod
    def of(cls, kind: str, severity: float, joint_noise: float = 0.0, joint_dropout: float = 0.0) -> Disturbance:
        """Return a kind of error at a severity; the joints' own errors, given for severity 1, are added in proportion.

        Raises:
            KpstraError: unknown kind, or an amount that is no number from 0.

        Example:
            >>> Disturbance.of("rotation", 0.5).rotation
            6.0
        """
        one_of(kind, KINDS, "--errors")
        for option, amount in (
            ("--severities", severity),
            ("--joint-noise", joint_noise),
            ("--joint-dropout", joint_dropout),
        ):
            if not 0 <= amount < float("inf"):
                raise KpstraError(f"{option}: {amount}: expected a number from 0")
        amounts = {"joint_noise": joint_noise, "joint_dropout": joint_dropout, **KINDS[kind].strong}
        return cls(**{name: severity * amount for name, amount in amounts.items()})

    @property
    def alignment(self) -> Alignment:
        """Translation, scale and rotation."""
        return Alignment(self.translation, self.scale, self.rotation)


def draw_number(seed: int, name: str, what: str) -> int:
    """Return the number that a generator begins with: another one for each draw, sequence or image, and error."""
    return int.from_bytes(hashlib.blake2b(f"{seed}/{name}/{what}".encode(), digest_size=7).digest(), "big")
