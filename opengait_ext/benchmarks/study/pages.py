"""The files of a study that are to be read: Markdown, picture and HTML."""

from __future__ import annotations

import re
from pathlib import Path

from plugins.benchmarks.report import write_page as write_html
from plugins.common.files import atomic_write

from .plan import Job
from .report import PICTURE, comparisons, text
from .store import Store
from .table import Study
from .web import web_page

PAGE, WEB = "study.md", "study.html"
CONCLUSION = re.compile(r"<!-- conclusion -->\n.*?<!-- /conclusion -->\n", re.DOTALL)
PLACE = "<!-- conclusion -->\nTo be written.\n<!-- /conclusion -->\n"


def write_page(folder: Path, study: Study, store: Store) -> None:
    """Write ``study.md``, ``study.png`` and ``study.html`` from the runs that are there.

    A conclusion written by hand into ``study.md`` stays.
    """
    from .plot import plot

    runs = {job: store.find(job) for job in jobs_there(store, study)}
    found = comparisons(study, runs)
    page = folder / PAGE
    kept = CONCLUSION.search(page.read_text(encoding="utf-8")) if page.exists() else None
    with atomic_write(page, "w") as stream:
        stream.write(text(study, runs, found, kept[0] if kept else PLACE))
    if found:
        plot(study, found, folder / PICTURE)
    write_html(web_page(study, runs, found, folder / PICTURE), folder / WEB)


def jobs_there(store: Store, study: Study) -> list[Job]:
    """Return the jobs of the table whose files are there, seed by seed."""
    pattern = re.compile(rf"({'|'.join(r.name for r in study.rows)})-({'|'.join(study.trainings)})-(\d+)\.json")
    named = [pattern.fullmatch(path.name) for path in store.folder.glob("*.json")]
    jobs = {Job(found[1], found[2], int(found[3])) for found in named if found}
    rows, trainings = [row.name for row in study.rows], list(study.trainings)
    return sorted(jobs, key=lambda job: (job.seed, trainings.index(job.training), rows.index(job.row)))
