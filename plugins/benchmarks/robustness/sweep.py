"""The checkpoints of a sweep and its points."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from ...errors import KpstraError
from .disturbance import Disturbance


@dataclass(frozen=True)
class CheckpointRun:
    """One checkpoint: its name in table and picture, its configuration and its file."""

    label: str
    config: str
    checkpoint: str
    number: int = 0  # among checkpoints of the same name

    @property
    def key(self) -> str:
        """The name in ``robustness.json``."""
        return f"{self.label} #{self.number + 1}" if self.number else self.label

    @classmethod
    def of(cls, text: str) -> CheckpointRun:
        """Read ``NAME=CONFIG:FILE``."""
        label, equals, files = text.partition("=")
        config, colon, checkpoint = files.rpartition(":")
        if not all((label, equals, config, colon, checkpoint)):
            raise KpstraError(
                f"--checkpoint {text}: expected NAME=CONFIG:FILE, such as KP-RPE=my_recipe.yaml:output/weights.pt"
            )
        return cls(label, config, checkpoint)


def numbered(runs: Sequence[CheckpointRun]) -> list[CheckpointRun]:
    """Number checkpoints of the same name in their order.

    Raises:
        KpstraError: the same file twice under one name, or two configurations under one name.
    """
    found: list[CheckpointRun] = []
    for run in runs:
        alike = [other for other in found if other.label == run.label]
        for other in alike:
            if other.checkpoint == run.checkpoint or other.config != run.config:
                raise KpstraError(
                    f"--checkpoint {run.label}: {run.config}:{run.checkpoint} and {other.config}:"
                    f"{other.checkpoint}: checkpoints of one name are different trainings of one "
                    "configuration; give another name"
                )
        found.append(replace(run, number=len(alike)))
    return found


@dataclass(frozen=True)
class Point:
    """One test: a kind of error, its severity and its draw. Severity 0 is the undisturbed test; it has no kind."""

    error: str
    severity: float
    seed: int

    def disturbance(self, joint_noise: float = 0.0, joint_dropout: float = 0.0) -> Disturbance:
        """Return the errors' sizes; those of the joints are given for severity 1."""
        return (
            Disturbance() if self == ALIGNED else Disturbance.of(self.error, self.severity, joint_noise, joint_dropout)
        )


ALIGNED = Point("none", 0.0, 0)


def points(errors: Sequence[str], severities: Sequence[float], seeds: Sequence[int]) -> list[Point]:
    """Return all points, the undisturbed one first."""
    moved = [Point(e, s, seed) for seed in seeds for e in errors for s in sorted(set(severities)) if s > 0]
    return [ALIGNED, *moved]
