"""The study as one HTML file: the tables and the picture of its page, settings, command lines and versions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from plugins.benchmarks.report import Page, Picture, Table, all_versions

from .report import ALT, Comparison, Runs, about, meaning, measured_on, tables
from .table import Study


def web_page(study: Study, runs: Runs, found: Sequence[Comparison], picture: Path) -> Page:
    """Return what the HTML file says; the picture is shown if there are comparisons."""
    measured = [line.removeprefix("- ").replace("`", "") for line in measured_on(study, runs).splitlines()]
    pictures = [Picture(picture.read_bytes(), ALT, meaning(found))] if found else []
    settings = {}
    for job, run in runs.items():  # of a row's first run: those of others differ in the seed
        settings.setdefault(study.row(job.row).label, {key: str(value) for key, value in run["settings"].items()})
    shown = [Table(title, lines[0], lines[1:]) for title, lines in tables(study, runs, found).items()]
    return Page(
        study.title,
        [about(study)],
        [*shown[:-1], *(replace(last, notes=measured) for last in shown[-1:])],
        pictures,
        settings,
        {"Every run, and the page": ["opengait-ext study", "opengait-ext study --page"]},
        all_versions([run["versions"] for run in runs.values()]),
    )
