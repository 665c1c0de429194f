"""Which runs there are, in which order they are begun."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import NamedTuple

from .table import Study


class Job(NamedTuple):
    """One run: a row under a training and a seed."""

    row: str
    training: str
    seed: int

    def __str__(self) -> str:
        return f"{self.row}-{self.training}-{self.seed}"


def make_plan(study: Study, rows: Iterable[str], trainings: Iterable[str], seeds: Iterable[int]) -> list[Job]:
    """Return all jobs, seed by seed and each seed whole, with the rows that the chosen ones start from."""
    wanted = set(rows)
    for row in reversed(study.rows):
        if row.name in wanted and row.warm_start:
            wanted.add(row.warm_start)
    names, trainings = [row.name for row in study.rows if row.name in wanted], list(trainings)
    return [Job(name, training, seed) for seed in dict.fromkeys(seeds) for training in trainings for name in names]


def start_of(study: Study, job: Job) -> Job | None:
    """Return the job whose weights a job starts from."""
    before = study.row(job.row).warm_start
    return None if before is None else job._replace(row=before)


def ready(study: Study, todo: Sequence[Job], weights: Collection[Job]) -> Job | None:
    """Return the first job that can be begun: it starts from nothing, or from weights that are there."""
    return next((job for job in todo if (before := start_of(study, job)) is None or before in weights), None)
