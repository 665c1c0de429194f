"""The page of a study: which runs are pairs, what stands in its tables, and that a conclusion stays."""

import pytest
from web_page import picture_of, read_page

from opengait_ext.benchmarks.study.pages import PLACE, write_page
from opengait_ext.benchmarks.study.plan import Job
from opengait_ext.benchmarks.study.report import comparisons, gains, measured_on, table, text
from opengait_ext.benchmarks.study.store import Store
from opengait_ext.benchmarks.study.table import Row, Study, Test
from opengait_ext.benchmarks.walkers import Settings

ROWS = (
    Row("plain", "Plain", "opengait/walkers_swingait2d"),
    Row("kprpe", "With keypoints", "opengait/walkers_swingait2d", control="plain", set={"optimizer_cfg.lr": 0.1}),
)
STUDY = Study(
    "T", Settings(), 6, {}, {"aligned": {}, "augmented": {}}, (Test("clean", "clean"), Test("shift", "shift 4 %")), ROWS
)


def run(clean, shift=None, start="w"):
    tests = {"clean": clean, **({} if shift is None else {"shift": shift})}
    return {
        "tests": {
            name: {"definition": STUDY.test(name).definition(), "mAP": value, "Rank-1": 90.0 + value / 10}
            for name, value in tests.items()
        },
        "image_share": 0.25,
        "starts_from": start,
        "weights": None,
        "seconds": {"training": 10.0, "testing": 2.0},
        "device": "GPU",
        "precision": "float32",
        "versions": {"torch": "2"},
        "host": "embedded",
    }


@pytest.fixture
def runs():
    """Three seeds; the gains of kprpe are 1, 2, 3 on clean and 10 where shift was measured."""
    made = {}
    for seed in range(3):
        made[Job("plain", "aligned", seed)] = run(50.0 + seed, 30.0)
        made[Job("kprpe", "aligned", seed)] = run(51.0 + 2 * seed, 40.0 if seed < 2 else None)
    made[Job("kprpe", "augmented", 0)] = run(60.0, 50.0)
    return made


def aligned(runs):
    return {job: one for job, one in runs.items() if job.training == "aligned"}


def test_pairs_are_of_one_seed_training_and_start(runs):
    clean, shift = comparisons(STUDY, runs)  # of the augmented training there is no control
    assert (clean.difference.mean, clean.difference.pairs) == (2.0, 3) and shift.difference.pairs == 2
    assert clean.corrected == clean.difference.p and shift.corrected is None  # a single p; equal pairs have none
    runs[Job("kprpe", "aligned", 2)]["starts_from"] = "another"
    assert comparisons(STUDY, runs)[0].difference.pairs == 2


def test_tables(runs):
    assert table(STUDY, aligned(runs), "mAP") == [
        ["row", "clean", "shift 4 %", "% of B by images", "seeds"],
        ["Plain", "51.0 ± 1.0", "30.0 ± 0.0", "25.0 ± 0.0", "3"],
        ["With keypoints", "53.0 ± 2.0", "40.0 ± 0.0", "25.0 ± 0.0", "3"],
    ]
    assert gains(STUDY, comparisons(STUDY, runs))[1:] == [
        ["With keypoints", "Plain", "+2.0 [-0.5, +4.5]", "+10.0", "2 to 3"]
    ]
    assert "- GPU, float32, torch 2, host embedded: 7 runs of 12 s on average" in measured_on(STUDY, runs)


def test_a_decided_comparison_is_marked(runs):
    for seed in range(3):
        runs[Job("kprpe", "aligned", seed)] = run(60.0 + seed + 0.01 * seed, 30.0)
    assert gains(STUDY, comparisons(STUDY, runs))[1][2].endswith(" ●")


def test_the_page_keeps_a_conclusion_and_says_what_is_missing(tmp_path, runs):
    store = Store(tmp_path, STUDY)
    for job, one in runs.items():
        store.put(job, one)
    write_page(tmp_path, STUDY, store)
    page = tmp_path / "study.md"
    assert PLACE in page.read_text() and "## Augmented training: mAP" in page.read_text()
    page.write_text(page.read_text().replace("To be written.", "It helps.\n\nA little."))
    store.path(Job("kprpe", "augmented", 0)).unlink()
    write_page(tmp_path, STUDY, store)
    assert "It helps.\n\nA little." in page.read_text() and "Augmented training" not in page.read_text()
    assert text(STUDY, runs, [], PLACE).count("study.png") == 0


def test_the_page_as_one_html_file(tmp_path, runs):
    store = Store(tmp_path, STUDY)
    for job, one in runs.items():
        store.put(job, one)
    write_page(tmp_path, STUDY, store)
    page = read_page(tmp_path / "study.html")
    assert page.headings == ["T", "Results", "Pictures", "Settings", "Command lines", "Versions"]
    headings = ["row", "clean", "shift 4 %", "% of B by images", "seeds"]
    assert page.tables["results"][0] == [headings, *table(STUDY, aligned(runs), "mAP")[1:]]
    assert len(page.tables["results"]) == 5 and len(page.pictures) == 1
    assert page.tables["settings"][0][0] == ["setting", "Plain", "With keypoints"]
    assert picture_of(page.pictures[0]).size[0] > 400
