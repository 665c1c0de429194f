"""What a study found: what every row reached, what it gained over its control, and on what that was measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from statistics import mean, stdev
from typing import Any

from plugins.benchmarks.statistics import LEAST_PAIRS, Difference, holm, paired

from .plan import Job
from .table import Row, Study, Test

PICTURE = "study.png"
LEVEL = 0.05
ALT = "Differences of mAP to each row's control, with 95 % intervals"
Runs = Mapping[Job, Mapping[str, Any]]
Lines = Sequence[Sequence[str]]


@dataclass(frozen=True)
class Comparison:
    """A row against its control under a training and a test; ``corrected`` is its p by Holm."""

    row: str
    training: str
    test: str
    difference: Difference
    corrected: float | None = None

    @property
    def decided(self) -> bool:
        """Whether the corrected p is below 5 %."""
        return self.corrected is not None and self.corrected < LEVEL


def comparisons(study: Study, runs: Runs, metric: str = "mAP") -> list[Comparison]:
    """Return all rows with a control against it, corrected for their number.

    Two runs are a pair if they are of one training, one seed and one precision, and start from the same weights, or one
    from the other's.
    """
    found = []
    for training in study.trainings:
        for row in study.rows:
            for test in study.tests if row.control else ():
                pairs = [
                    (run["tests"][test.name][metric], other["tests"][test.name][metric])
                    for job, run in runs.items()
                    if (job.row, job.training) == (row.name, training)
                    and (other := runs.get(job._replace(row=row.control))) is not None
                    and run["precision"] == other["precision"]
                    and run["starts_from"] in (other["starts_from"], other["weights"])
                    and test.name in run["tests"]
                    and test.name in other["tests"]
                ]
                if pairs:
                    found.append(Comparison(row.name, training, test.name, paired(*zip(*pairs, strict=True))))
    corrected = holm([one.difference.p for one in found])
    return [
        Comparison(one.row, one.training, one.test, one.difference, p) for one, p in zip(found, corrected, strict=True)
    ]


def text(study: Study, runs: Runs, found: Sequence[Comparison], conclusion: str) -> str:
    """Return the page."""
    head = [
        f"# {study.title}",
        f"Made by `opengait-ext study` from the runs in `runs/`, {date.today()}. {about(study)}",
        "## What came out",
        conclusion.rstrip("\n"),
    ]
    if found:
        head += [f"![{ALT}]({PICTURE})", meaning(found)]
    for title, lines in tables(study, runs, found).items():
        head += [f"## {title}", _markdown(lines)]
    return "\n\n".join([*head, "## Measured on", measured_on(study, runs)]) + "\n"


def about(study: Study) -> str:
    """Return on whom the networks were trained and tested."""
    walkers, tested = study.walkers, len(study.walkers.partition()["TEST_SET"])
    return (
        f"{walkers.train} people to train on, {tested} others to test, {walkers.sequences} sequences of each; every "
        "test sequence is a probe against all others. mAP and rank-1 in percent, mean ± sample standard deviation over "
        "seeds. For each seed and training the rows that start from a trained one share its weights, and all draw the "
        "same batches and augmentations."
    )


def meaning(found: Sequence[Comparison]) -> str:
    """Return what a difference, its interval and its mark are."""
    number = sum(one.corrected is not None for one in found)
    return (
        f"Differences of mAP between a row and its control of the same seed: mean, 95 % confidence interval "
        f"(Student's t over seeds), and ● where p < {LEVEL:g} after Holm's correction for {number} comparisons. "
        f"Fewer than {LEAST_PAIRS} pairs have no interval and decide nothing."
    )


def tables(study: Study, runs: Runs, found: Sequence[Comparison]) -> dict[str, Lines]:
    """Return all tables by their titles, training by training."""
    made = {}
    for training in study.trainings:
        here = {job: run for job, run in runs.items() if job.training == training}
        if not here:
            continue
        compared, name = [one for one in found if one.training == training], training.capitalize()
        made[f"{name} training: mAP"] = table(study, here, "mAP")
        if compared:
            made[f"{name} training: differences of mAP to the control"] = gains(study, compared)
        made[f"{name} training: rank-1"] = table(study, here, "Rank-1")
    return made


def table(study: Study, runs: Runs, metric: str) -> Lines:
    """Return a metric of all rows under all tests, headings first."""
    tests = [test for test in study.tests if any(test.name in run["tests"] for run in runs.values())]
    lines = [["row", *(test.label for test in tests), "% of B by images", "seeds"]]
    for row in study.rows:
        mine = [run for job, run in runs.items() if job.row == row.name]
        if mine:
            cells = [_spread([run["tests"][t.name][metric] for run in mine if t.name in run["tests"]]) for t in tests]
            shares = [100 * run["image_share"] for run in mine if run["image_share"] is not None]
            lines.append([row.label, *cells, _spread(shares) if shares else "", str(len(mine))])
    return lines


def gains(study: Study, found: Sequence[Comparison]) -> Lines:
    """Return the differences of a training's rows to their controls, headings first."""
    tests = [test for test in study.tests if any(one.test == test.name for one in found)]
    lines = [["row", "control", *(test.label for test in tests), "pairs"]]
    for row in study.rows:
        mine = {one.test: one for one in found if one.row == row.name}
        if mine:
            pairs = sorted({one.difference.pairs for one in mine.values()})
            control = study.row(row.control).label
            cells = [_gain(mine.get(test.name)) for test in tests]
            lines.append([row.label, control, *cells, " to ".join(map(str, {pairs[0]: 0, pairs[-1]: 0}))])
    return lines


def measured_on(study: Study, runs: Runs) -> str:
    """Return machines, versions and settings, a line for each that differs."""
    lines = {}
    for run in runs.values():
        versions = ", ".join(f"{name} {version}" for name, version in run["versions"].items())
        key = f"{run['device']}, {run['precision']}, {versions}, host {run['host']}"
        lines.setdefault(key, []).append(sum(run["seconds"].values()))
    walkers = ", ".join(f"{name} {value}" for name, value in study.walkers.as_json().items() if name != "format")
    parts = [f"- {key}: {len(took)} runs of {mean(took):.0f} s on average" for key, took in lines.items()]
    parts.append(f"- walkers: {walkers}; {study.frames} frames of each test sequence")
    parts += [f"- {test.label}: {_what(test)}" for test in study.tests if test.error or test.walkers]
    rows = [row for row in study.rows if row.set]
    return "\n".join([*parts, *(f"- {row.label}: {_sets(row)}" for row in rows)])


def _what(test: Test) -> str:
    settings = [f"{key} {value}" for key, value in test.walkers.items()]
    return ", ".join([*settings, *([f"{test.error}, severity {test.severity:g}"] if test.error else [])])


def _sets(row: Row) -> str:
    return ", ".join(f"`{key}: {value}`" for key, value in row.set.items())


def _spread(values: Sequence[float]) -> str:
    if not values:
        return "not measured"
    return f"{mean(values):.1f} ± {stdev(values):.1f}" if len(values) > 1 else f"{values[0]:.1f}"


def _gain(one: Comparison | None) -> str:
    if one is None:
        return "not measured"
    if one.difference.half is None:
        return f"{one.difference.mean:+.1f}"
    low, high = one.difference.mean - one.difference.half, one.difference.mean + one.difference.half
    return f"{one.difference.mean:+.1f} [{low:+.1f}, {high:+.1f}]{' ●' if one.decided else ''}"


def _markdown(lines: Lines) -> str:
    rows = [f"| {' | '.join(line)} |" for line in lines]
    return "\n".join([rows[0], f"|{' --- |' * len(lines[0])}", *rows[1:]])
