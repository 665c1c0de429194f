"""Rows beside the rows that they are compared with, seed by seed: mean difference, interval, corrected p."""

from __future__ import annotations

from collections.abc import Sequence

from ..statistics import Difference, holm, paired
from .summary import Line
from .table import Section


def compared(lines: Sequence[Line], metric: str) -> dict[str, Difference]:
    """Return each row's difference to its control in a metric, over the seeds that both have; by the row's name."""
    by_name = {line.row.name: line for line in lines}
    found = {}
    for line in lines:
        control = by_name.get(line.row.control or "")
        seeds = [seed for seed in sorted(line.results) if control and seed in control.results]
        both = [(line.results[seed].metrics, control.results[seed].metrics) for seed in seeds]
        both = [(ours, theirs) for ours, theirs in both if metric in ours and metric in theirs]
        if both:
            found[line.row.name] = paired([ours[metric] for ours, _ in both], [theirs[metric] for _, theirs in both])
    return found


def table(section: Section, lines: Sequence[Line]) -> list[list[str]]:
    """Return the table of differences in percentage points with its heading; nothing if no row has a control."""
    found = {metric: compared(lines, metric) for metric in section.metrics}
    labels = {line.row.name: line.row.label for line in lines}
    rows = [line.row for line in lines if any(line.row.name in differences for differences in found.values())]
    if not rows:
        return []
    corrected = {
        metric: dict(zip(differences, holm([one.p for one in differences.values()]), strict=True))
        for metric, differences in found.items()
    }
    columns = [column for title in section.metrics.values() for column in (f"{title} difference", f"{title} p")]
    text = [["model", "control", *columns, "pairs"]]
    for row in rows:
        cells, pairs = [], 0
        for metric, differences in found.items():
            one = differences.get(row.name)
            cells += [_shown(one), _p(corrected[metric].get(row.name))] if one else ["", ""]
            pairs = max(pairs, one.pairs if one else 0)
        text.append([row.label, labels[row.control], *cells, str(pairs)])
    return text


def _shown(one: Difference) -> str:
    if one.half is None:
        return f"{one.mean:+.2f}"
    return f"{one.mean:+.2f} ({one.mean - one.half:+.2f} to {one.mean + one.half:+.2f})"


def _p(p: float | None) -> str:
    return "" if p is None else f"{p:.3f}" if p >= 0.001 else "< 0.001"
