"""What a leaderboard asks of a host: checked settings, the next command of a run, and what the run's files say."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from ...common.machine import installed
from ..report import Series
from .table import Row


@dataclass(frozen=True)
class Job:
    """One row with one seed, in a folder of its own; ``warm_start`` is the job whose weights it starts from."""

    row: Row
    seed: int
    folder: Path
    warm_start: Job | None = None

    def __str__(self) -> str:
        return f"{self.row.name} seed {self.seed}"


@dataclass(frozen=True)
class Result:
    """What a finished run measured: metrics in percent, the host's log they stand in, training time and device."""

    metrics: Mapping[str, float]
    log: Path
    seconds: float | None = None
    device: str | None = None


@dataclass(frozen=True)
class Complexity:
    """Measured on a built network: parameters without the identity classifier, multiply-accumulates of one input."""

    parameters: int
    macs: int


@dataclass(frozen=True)
class Description:
    """What the page of models says of a row beside its label and its numbers."""

    model: str
    schedule: str
    start: str  # the weights that training starts from


class Host:
    """Base of the two hosts' parts; everything is derived from files, so that a run can go on after any interruption.

    Args:
        options: the parsed command line.
        settings: the user's overrides, by key, as on the host's command line.
    """

    section = ""  # of the table
    program = ""
    title = usage = ""  # of the host's part of the page of models: heading, and how its configurations are used
    moving: tuple[str, ...] = ()  # settings that may change while a run is interrupted: paths, workers, logging
    taken: ClassVar[Mapping[str, str]] = {}  # settings that the runner itself gives: what to give in their place
    step = "step"  # of the curves

    def __init__(self, options: argparse.Namespace, settings: Mapping[str, str] | None = None) -> None:
        self.options, self.settings = options, dict(settings or {})

    def merged(self, jobs: Sequence[Job]) -> list[dict[str, Any]]:
        """Return every job's merged settings by dotted key, after checking them and the data.

        Raises:
            KpstraError: any mistake of the user, before a run is started.
        """
        raise NotImplementedError

    def next_command(self, job: Job, settings: Mapping[str, Any]) -> list[str] | None:
        """Return the command that brings a job on, given what its folder holds; ``None`` when it has a result."""
        raise NotImplementedError

    def defaults(self) -> dict[str, Any]:
        """Return by dotted key what settings are worth where nothing sets them."""
        return {}

    @staticmethod
    def checkpoints(folder: Path) -> Mapping[int, Path]:
        """Return the checkpoints of the run in ``folder`` by iteration or epoch; before one its settings may change."""
        raise NotImplementedError

    @staticmethod
    def result(folder: Path) -> Result | None:
        """Return what the run in ``folder`` measured at its end; ``None`` while it is unfinished."""
        raise NotImplementedError

    @staticmethod
    def curves(folder: Path) -> dict[str, Series]:
        """Return how training went in the run in ``folder``: losses and the like, as far as there are logs of them."""
        raise NotImplementedError

    def versions(self) -> dict[str, str]:
        """Return what a run is made with now, by package."""
        return installed()

    @staticmethod
    def complexities(rows: Sequence[Row]) -> list[Complexity]:
        """Build each row's network and count."""
        raise NotImplementedError

    @staticmethod
    def describe(row: Row) -> Description:
        """Return what the page of models says of a row."""
        raise NotImplementedError
