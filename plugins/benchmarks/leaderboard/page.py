"""A leaderboard as a page to look at: its table, the curves of the trainings, settings, command lines, versions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from ...common.settings import in_one_line
from ..report import Page, Picture, Series, Table, all_versions
from ..report.scalars import draw_curves
from .differences import table as differences_table
from .folder import read_commands, read_settings
from .host import Host
from .report import PAIRED, cells, filled, headings, notes
from .runner import run_folder
from .summary import Line
from .table import Section


def page(host: type[Host], section: Section, lines: Sequence[Line], results: Path) -> Page:
    """Return the page of a leaderboard's rows.

    Args:
        host: reads the runs' curves.
        section: of the table.
        lines: what :func:`plugins.benchmarks.leaderboard.summary.collect` found.
        results: the folder of all runs.
    """
    columns = filled(section, lines)
    rows = [[row[i] for i in columns] for row in (cells(section, line) for line in lines)]
    caption, *runs = notes(section, lines, results)
    tables = [Table(caption, [headings(section)[i] for i in columns], rows, runs)]
    if differences := differences_table(section, lines):
        tables.append(Table(f"Differences to the controls. {PAIRED}", differences[0], differences[1:]))
    found = [(line, seed, run_folder(results, section, line.row.name, seed)) for line, seed in _runs(lines)]
    commands = {f"{line.row.name}, seed {seed}": read_commands(folder) for line, seed, folder in found}
    return Page(
        f"Leaderboard: {section.title}",
        [section.source] if section.source else [],
        tables,
        _pictures(host, [(line.row.label, folder) for line, _, folder in found]),
        _settings(host, [(line.row.label, folder) for line, _, folder in found]),
        {run: [one["command"] for one in made] for run, made in commands.items() if made},
        all_versions(
            [versions for made in commands.values() for versions in ([one["versions"] for one in made] or [{}])]
        ),
    )


def _runs(lines: Sequence[Line]) -> Iterator[tuple[Line, int]]:
    """Yield every run that was begun."""
    for line in lines:
        for seed in sorted({*line.results, *line.unfinished}):
            yield line, seed


def _pictures(host: type[Host], folders: Sequence[tuple[str, Path]]) -> list[Picture]:
    curves: dict[str, list[dict[str, Series]]] = {}
    for label, folder in folders:
        if read := host.curves(folder):
            curves.setdefault(label, []).append(read)
    if not curves:
        return []
    figure = draw_curves(curves, host.step)
    said = "How the trainings went, from the hosts' own TensorBoard logs: a line for each run, a colour for each row."
    return [Picture.of(figure, "curves of the trainings", said)]


def _settings(host: type[Host], folders: Sequence[tuple[str, Path]]) -> dict[str, dict[str, str]]:
    """Return each row's settings; of one that differs between its runs, all values."""
    found: dict[str, dict[str, list[str]]] = {}
    for label, folder in folders:
        for key, value in read_settings(folder).items():
            if key not in host.moving:
                texts = found.setdefault(label, {}).setdefault(key, [])
                texts += [text for text in [in_one_line(value)] if text not in texts]
    return {label: {key: ", ".join(texts) for key, texts in settings.items()} for label, settings in found.items()}
