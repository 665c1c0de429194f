"""One HTML file: what stands on it, that it needs nothing else, and that a browser shows it."""

import pytest
from matplotlib.figure import Figure
from web_page import BROWSER, look, picture_of, read_page

from plugins.benchmarks.report import Page, Picture, Table, all_versions, write_page

ROWS = [["A & <b>B</b>", "12.50 ± 0.25 †"], ["C", "not measured"], ["D", "-1.50 (-2.00 to +0.50)"]]


def picture(width=4.0):
    figure = Figure(figsize=(width, 2.0))
    figure.subplots().plot([0, 1], [1, 0])
    return Picture.of(figure, 'a "falling" line', "What <falls>.")


PAGE = Page(
    "Results of A & B",
    ["First <paragraph>."],
    [Table("in percent", ["model", "mAP"], ROWS, ["a note & its end"])],
    [picture(), picture(30.0)],
    {"A": {"lr": "0.1", "seed": "0, 1", "only": "x"}, "C": {"lr": "0.1", "seed": "0"}},
    {"A, seed 0": ["python -m x --name 'two words'"], "C": ["one", "two"]},
    {"torch": "2.8.0"},
)


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    return write_page(PAGE, tmp_path_factory.mktemp("page") / "below" / "report.html")


def test_everything_stands_on_the_page(written):
    page = read_page(written)
    assert page.headings == ["Results of A & B", "Results", "Pictures", "Settings", "Command lines", "Versions"]
    assert page.tables["results"] == [[["model", "mAP"], *ROWS]]
    differing, same = page.tables["settings"]
    assert differing == [["setting", "A", "C"], ["seed", "0, 1", "0"], ["only", "x", ""]]
    assert same == [["lr", "0.1"]]
    assert page.pre == ["python -m x --name 'two words'", "one", "two"]
    assert page.items == ["a note & its end"] and page.tables["versions"] == [[["torch", "2.8.0"]]]
    assert [picture_of(uri).size for uri in page.pictures] == [(520, 260), (3900, 260)]
    text = written.read_text(encoding="utf-8")
    assert (
        "First &lt;paragraph&gt;." in text
        and "What &lt;falls&gt;." in text
        and 'alt="a &#34;falling&#34; line"' in text
    )
    assert text.count('class="number"') == 2 and text.count('class="absent"') == 1


def test_parts_that_there_are_not_have_no_heading(tmp_path):
    page = read_page(write_page(Page("T", [], [Table("c", ["a"], [["1"]])]), tmp_path / "x.html"))
    assert page.headings == ["T", "Results"] and not page.pictures


@pytest.mark.skipif(BROWSER is None, reason="no chromium on this machine: `apt-get install chromium`")
def test_a_browser_shows_table_and_pictures(written, tmp_path):
    """Wide pictures are fitted to the window."""
    seen = look(written, tmp_path)
    assert seen["tables"] == [[["model", "mAP"], *ROWS]]
    assert [size[:2] for size in seen["pictures"]] == [[520, 260], [3900, 260]]
    assert all(0 < shown <= 1200 for _, _, shown in seen["pictures"])
    assert seen["width"][0] <= seen["width"][1]


def test_versions_that_changed_between_runs():
    made = [{"torch": "2.8", "numpy": "2"}, {"torch": "2.9", "numpy": "2"}, {"torch": "2.8"}]
    assert all_versions(made) == {"torch": "2.8, 2.9", "numpy": "2, not recorded"}
    assert all_versions([]) == all_versions([{}]) == {}
