"""A leaderboard as Markdown and as one HTML page: the paper beside what was measured."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from pathlib import Path

from ...common.files import atomic_write
from .summary import Line
from .table import Section

NOT_MEASURED, PAPER_ONLY, NONE, CHANGED = "not measured", "paper only", "", " †"
STYLE = """body { font: 15px/1.5 system-ui, sans-serif; margin: 2em auto; max-width: 80em; padding: 0 1em; color: #222 }
table { border-collapse: collapse } th, td { padding: .3em .8em; border-bottom: 1px solid #ddd; text-align: right }
th:nth-child(-n+2), td:nth-child(-n+2) { text-align: left } th { border-bottom: 2px solid #888 }
td.measured { background: #e8f4ea; font-weight: 600 } td.absent { color: #999 } code { font-size: 90% }
@media (prefers-color-scheme: dark) { body { background: #181818; color: #ddd } td.measured { background: #1f3a26 } }"""


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
    unfinished = [f"{line.row.name} {', '.join(map(str, line.unfinished))}" for line in lines if line.unfinished]
    if unfinished:
        said.append(f"Begun and not finished, so not counted (row, seeds): {'; '.join(unfinished)}.")
    for line in lines:
        for seed, result in line.results.items():
            values = ", ".join(
                f"{section.metrics[m]} {result.metrics[m]:.2f}" for m in section.metrics if m in result.metrics
            )
            log = result.log.relative_to(results) if result.log.is_relative_to(results) else result.log
            changed = f"; changed: {line.changed[seed]}" if seed in line.changed else ""
            said.append(f"{line.row.name} seed {seed}: {values} ({log}{changed})")
    return said


def markdown(section: Section, lines: Sequence[Line], results: Path) -> str:
    """Return the report as Markdown."""
    columns = filled(section, lines)
    table = [headings(section), ["---"] * len(headings(section)), *(cells(section, line) for line in lines)]
    table = [[row[i] for i in columns] for row in table]
    text = [f"# Leaderboard: {section.title}", "", *([section.source, ""] if section.source else [])]
    text += [f"| {' | '.join(cell.replace('|', '&#124;') for cell in row)} |" for row in table]
    said, *runs = notes(section, lines, results)
    return "\n".join([*text, "", said, "", *(f"- {note}" for note in runs)]).rstrip() + "\n"


def html(section: Section, lines: Sequence[Line], results: Path) -> str:
    """Return the report as a page of its own, well-formed also as XML."""
    first, columns = 2 + len(section.metrics), filled(section, lines)
    body = []
    for line in lines:
        row, texts = [], cells(section, line)
        for i, cell in ((i, texts[i]) for i in columns):
            is_measured = first <= i < first + len(section.metrics)
            kind = "" if not is_measured else "absent" if cell in (NOT_MEASURED, PAPER_ONLY) else "measured"
            row.append(f'<td class="{kind}">{escape(cell)}</td>' if kind else f"<td>{escape(cell)}</td>")
        body.append(f"<tr>{''.join(row)}</tr>")
    said, *runs = notes(section, lines, results)
    title = escape(f"Leaderboard: {section.title}")
    return (
        "\n".join(
            [
                "<!DOCTYPE html>",
                '<html lang="en">',
                f'<head><meta charset="utf-8"/><title>{title}</title>',
                f"<style>{STYLE}</style></head>",
                f"<body><h1>{title}</h1>",
                f"<p>{escape(section.source)}</p>",
                "<table>",
                f"<thead><tr>{''.join(f'<th>{escape(headings(section)[i])}</th>' for i in columns)}</tr></thead>",
                "<tbody>",
                *body,
                "</tbody></table>",
                f"<p>{escape(said)}</p>",
                *(f"<p><code>{escape(note)}</code></p>" for note in runs),
                "</body></html>",
            ]
        )
        + "\n"
    )


def write_report(section: Section, lines: Sequence[Line], results: Path, output: Path) -> list[Path]:
    """Write ``report.md`` and ``report.html`` into ``output``; return their paths."""
    texts = {"report.md": markdown(section, lines, results), "report.html": html(section, lines, results)}
    for name, text in texts.items():
        with atomic_write(output / name) as stream:
            stream.write(text.encode())
    return [output / name for name in texts]
