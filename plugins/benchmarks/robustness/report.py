"""The curves of a store, their table as Markdown, and the page that shows both."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...common.settings import flatten, in_one_line
from ...errors import KpstraError
from ..leaderboard.summary import Measured
from ..report import Page, Picture, Table, all_versions
from .disturbance import KINDS

USUAL = ("Rank-1", "mAP")


@dataclass(frozen=True)
class Curve:
    """A checkpoint's metrics under one kind of error: by severity, for each metric."""

    label: str
    error: str
    values: Mapping[float, Mapping[str, Measured]]


def curves(points: Sequence[Mapping[str, Any]], labels: Sequence[str], errors: Sequence[str]) -> list[Curve]:
    """Gather the points of each label and error; the undisturbed test is severity 0 of every curve."""
    found = []
    for error in errors:
        for label in labels:
            rows = [p for p in points if p["run"] == label and p["error"] in ("none", error)]
            severities = sorted({row["severity"] for row in rows})
            values = {s: _measured([r["metrics"] for r in rows if r["severity"] == s]) for s in severities}
            found.append(Curve(label, error, values))
    return found


def _measured(draws: Sequence[Mapping[str, float]]) -> dict[str, Measured]:
    return {name: Measured.of([metrics[name] for metrics in draws]) for name in draws[0]}


def chosen_metrics(points: Sequence[Mapping[str, Any]], wanted: Sequence[str]) -> list[str]:
    """Return the metrics to show: those wanted, or else rank-1 and mAP where measured, or else all.

    Raises:
        KpstraError: a wanted metric was not measured.
    """
    there = list(dict.fromkeys(name for point in points for name in point["metrics"]))
    for name in wanted:
        if name not in there:
            raise KpstraError(f"--metrics {name}: not measured; there are: {', '.join(there)}")
    return list(wanted) or [name for name in USUAL if name in there] or there


def table(found: Sequence[Curve], metrics: Sequence[str], units: Mapping[str, str] | None = None) -> list[list[str]]:
    """Return the curves as rows of text, headings first: a row for each error and severity, a column for each metric
    and label; ``units`` are the host's own names of kinds' units."""
    labels = list(dict.fromkeys(curve.label for curve in found))
    columns = [(metric, label) for metric in metrics for label in labels]
    lines = [["error", "severity", *(f"{metric}, {label}" for metric, label in columns)]]
    first = next(iter(found))
    rows = [("none", 0.0, "0", first.error)]
    for error in dict.fromkeys(curve.error for curve in found):
        severities = sorted({s for curve in found if curve.error == error for s in curve.values if s > 0})
        rows += [(error, s, KINDS[error].amount(s, (units or {}).get(error)), error) for s in severities]
    for name, severity, text, error in rows:
        cells = []
        for metric, label in columns:
            curve = next(c for c in found if (c.label, c.error) == (label, error))
            measured = curve.values.get(severity, {}).get(metric)
            cells.append("not measured" if measured is None else str(measured))
        lines.append([name, text, *cells])
    return lines


def markdown(lines: Sequence[Sequence[str]]) -> str:
    """Return a table as Markdown."""
    headings, *rows = lines
    return "\n".join(f"| {' | '.join(row)} |" for row in [headings, ["---"] * len(headings), *rows])


def page(
    lines: Sequence[Sequence[str]], about: str, picture: Path, runs: Mapping, made: Sequence[Mapping], tested: str
) -> Page:
    """Return the page of a sweep.

    Args:
        lines: the table.
        about: what the numbers are.
        picture: the curves, a PNG.
        runs: what was tested and how, by the checkpoints' names.
        made: the commands that measured, with the versions that they did so with.
        tested: what has the errors, such as ``sequences``.
    """
    headings, *rows = lines
    return Page(
        "Robustness against misalignment",
        [f"The host's own test, on {tested} with errors drawn by seed and name: the same for all checkpoints."],
        [Table(about, headings, rows)],
        [Picture(picture.read_bytes(), "metrics against severity, a panel for each kind of error", about)],
        {run: {key: in_one_line(value) for key, value in flatten(told).items()} for run, told in runs.items()},
        {f"begun {one['began']}": [one["command"]] for one in made},
        all_versions([one["versions"] for one in made]),
    )
