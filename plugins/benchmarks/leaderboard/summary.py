"""What the finished runs of a row measured: mean and spread over its seeds."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from .folder import read_failure, read_settings
from .host import Complexity, Result
from .runner import run_folder
from .table import Row, Section


@dataclass(frozen=True)
class Measured:
    """Mean and sample standard deviation of a metric, in percent; ``spread`` is ``None`` for one seed."""

    mean: float
    spread: float | None
    count: int

    @classmethod
    def of(cls, values: Sequence[float]) -> Measured:
        """Summarise one value a seed; at least one."""
        return cls(statistics.fmean(values), statistics.stdev(values) if len(values) > 1 else None, len(values))

    def __str__(self) -> str:
        return f"{self.mean:.2f}" + ("" if self.spread is None else f" ± {self.spread:.2f}")


@dataclass(frozen=True)
class Line:
    """A row with its finished runs by seed, those begun and not finished with the reason if they failed, and its cost.

    ``changed`` holds, by seed, settings that a run did not take from the row's configuration.
    """

    row: Row
    results: Mapping[int, Result]
    unfinished: Mapping[int, str]
    complexity: Complexity | None = None
    changed: Mapping[int, str] = field(default_factory=dict)

    def measured(self, metric: str) -> Measured | None:
        """Summarise a metric over the seeds; ``None`` if nothing was measured."""
        values = [result.metrics[metric] for result in self.results.values() if metric in result.metrics]
        return Measured.of(values) if values else None


def collect(
    section: Section,
    rows: Sequence[Row],
    results: Path,
    read: Callable[[Path], Result | None],
    complexities: Mapping[str, Complexity],
) -> list[Line]:
    """Read every run's folder.

    Args:
        results: the folder of all runs.
        read: a host's :meth:`plugins.benchmarks.leaderboard.Host.result`.
        complexities: of each row, by name.
    """
    lines = []
    for row in rows:
        found = {seed: read(run_folder(results, section, row.name, seed)) for seed in seeds_of(section, row, results)}
        finished = {seed: result for seed, result in found.items() if result is not None}
        unfinished = {
            seed: read_failure(run_folder(results, section, row.name, seed))
            for seed, result in found.items()
            if result is None
        }
        changed = {seed: changed_of(run_folder(results, section, row.name, seed)) for seed in finished}
        lines.append(
            Line(
                row,
                finished,
                unfinished,
                complexities.get(row.name),
                {seed: text for seed, text in changed.items() if text},
            )
        )
    return lines


def changed_of(folder: Path) -> str:
    """Return the settings that the run in ``folder`` was given beside its configuration, as text."""
    return ", ".join(f"{key}={value}" for key, value in read_settings(folder, "changed").items())


def seeds_of(section: Section, row: Row, results: Path) -> list[int]:
    """Return the seeds that have a folder, in order."""
    folders = run_folder(results, section, row.name, 0).parent.glob("seed*")
    return sorted(int(path.name[4:]) for path in folders if path.name[4:].isdigit())
