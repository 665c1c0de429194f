"""The pages of docs/ that a study wrote: their tables are those of the runs in docs/results."""

from pathlib import Path

import pytest

from opengait_ext.benchmarks.study.pages import PLACE, jobs_there
from opengait_ext.benchmarks.study.report import comparisons, text
from opengait_ext.benchmarks.study.store import Store
from opengait_ext.benchmarks.study.table import read_study

DOCS = Path(__file__).resolve().parents[4] / "docs"


@pytest.mark.parametrize(
    ("page", "table"),
    [pytest.param("study", "study_walkers", marks=pytest.mark.slow), ("study-networks", "study_walkers_networks")],
)
def test_the_page_is_that_of_its_runs(page, table):
    study = read_study(table)
    store = Store(DOCS / "results" / page, study)
    runs = {job: store.find(job) for job in jobs_there(store, study)}
    made = text(study, runs, comparisons(study, runs), PLACE).replace("(study.png)", f"({page}.png)")
    written = (DOCS / f"{page}.md").read_text(encoding="utf-8")
    assert written.partition("<!-- /conclusion -->")[2] == made.partition("<!-- /conclusion -->")[2]
    assert PLACE not in written
