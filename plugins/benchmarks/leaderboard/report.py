"""A leaderboard as a table: the paper beside what was measured."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from .differences import table as differences_table
from .summary import Line
from .table import Section

NOT_MEASURED, PAPER_ONLY, NONE, CHANGED = "not measured", "paper only", "", " †"

PAIRED = (
    "Percentage points, seed by seed: mean and 95 % interval (t over seeds); p of a two-sided paired t test, by Holm "
    "corrected for the number of rows of this table."
)


def headings(section: Section) -> list[str]:
    """Return the columns' names."""
    metrics = [f"{title} {side}" for side in ("paper", "measured") for title in section.metrics.values()]
    return [
        "Table",
        "model",
        *metrics,
        "seeds",
        "params paper (M)",
        "params measured (M)",
        "MACs paper (G)",
        "MACs measured (G)",
    ]


def cells(section: Section, line: Line) -> list[str]:
    """Return a row's cells as plain text."""
    row, measured = line.row, [line.measured(metric) for metric in section.metrics]
    absent = PAPER_ONLY if row.config is None else NOT_MEASURED
    mark = CHANGED if line.changed else ""
    published = [shown(row.paper.get(metric)) for metric in section.metrics]
    complexity = [
        shown(row.complexity.get("parameters")),
        f"{line.complexity.parameters / 1e6:.2f}" if line.complexity else NONE,
        shown(row.complexity.get("macs")),
        f"{line.complexity.macs / 1e9:.4g}" if line.complexity else NONE,
    ]
    return [
        ", ".join(map(str, row.tables)),
        row.label,
        *published,
        *(f"{m}{mark}" if m else absent for m in measured),
        str(len(line.results)) if line.results else NONE,
        *complexity,
    ]


def filled(section: Section, lines: Sequence[Line]) -> list[int]:
    """Return the columns that any row fills: a table that nobody published has no paper's columns."""
    rows = [cells(section, line) for line in lines]
    return [i for i in range(len(headings(section))) if any(row[i] for row in rows)]


def shown(value: float | None) -> str:
    """A published number as it was given."""
    return NONE if value is None else str(value)


def notes(section: Section, lines: Sequence[Line], results: Path) -> list[str]:
    """Return what is to be read beside the table: what the numbers are, and the logs they stand in."""
    said = [
        "Measured: mean ± sample standard deviation over the seeds, in percent, read from the host's own logs. "
        "Parameters without the identity classifier; multiply-accumulates of one input, counted here."
    ]
    if any(line.changed for line in lines):
        said.append(f"{CHANGED.strip()} not with the configuration's own settings: below is what was changed.")
    for line in lines:
        for seed, reason in line.unfinished.items():
            why = f": failed: {reason}" if reason else ""
            said.append(f"{line.row.name} seed {seed}: begun and not finished, so not counted{why}")
    for line in lines:
        for seed, result in line.results.items():
            values = ", ".join(
                f"{section.metrics[m]} {result.metrics[m]:.2f}" for m in section.metrics if m in result.metrics
            )
            log = result.log.relative_to(results) if result.log.is_relative_to(results) else result.log
            changed = f"; changed: {line.changed[seed]}" if seed in line.changed else ""
            spent = "" if result.seconds is None else f"; trained in {result.seconds:.0f} s"
            device = f" on {result.device}" if spent and result.device else ""
            said.append(f"{line.row.name} seed {seed}: {values} ({log}{changed}{spent}{device})")
    return said


def markdown(section: Section, lines: Sequence[Line], results: Path) -> str:
    """Return the report as Markdown."""
    columns = filled(section, lines)
    table = [headings(section), ["---"] * len(headings(section)), *(cells(section, line) for line in lines)]
    table = [[row[i] for i in columns] for row in table]
    text = [f"# Leaderboard: {section.title}", "", *([section.source, ""] if section.source else [])]
    text += _lines(table)
    differences = differences_table(section, lines)
    if differences:
        text += ["", "## Differences to the controls", "", PAIRED, ""]
        text += _lines([differences[0], ["---"] * len(differences[0]), *differences[1:]])
    said, *runs = notes(section, lines, results)
    return "\n".join([*text, "", said, "", *(f"- {note}" for note in runs)]).rstrip() + "\n"


def _lines(table: Sequence[Sequence[str]]) -> list[str]:
    return [f"| {' | '.join(cell.replace('|', '&#124;') for cell in row)} |" for row in table]
