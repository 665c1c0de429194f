"""Rows against their controls: only seeds that both have, the statistics by hand."""

from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from plugins.benchmarks.leaderboard import Result, Row, Section
from plugins.benchmarks.leaderboard.differences import compared, table
from plugins.benchmarks.leaderboard.report import markdown
from plugins.benchmarks.leaderboard.summary import Line

ROWS = [Row("a", "A"), Row("b", "B", control="a"), Row("c", "C", control="a"), Row("d", "D", control="b")]
SECTION = Section("fake", "Fake", "", {"mAP": "mAP", "R": "rank-1"}, tuple(ROWS))
VALUES = {"a": {0: 50.0, 1: 52.0, 2: 51.0, 7: 0.0}, "b": {0: 54.0, 1: 55.0, 2: 58.0, 9: 0.0}, "c": {1: 52.5}, "d": {}}


@pytest.fixture
def lines():
    return [
        Line(row, {s: Result({"mAP": v, "R": 2 * v}, Path("log")) for s, v in VALUES[row.name].items()}, {})
        for row in ROWS
    ]


def test_pairs_are_of_the_same_seed(lines):
    found = compared(lines, "mAP")
    assert set(found) == {"b", "c"}  # d has no run yet
    differences = [4.0, 3.0, 7.0]
    half = stats.t.ppf(0.975, 2) * np.std(differences, ddof=1) / 3**0.5
    assert (found["b"].mean, found["b"].pairs) == (pytest.approx(14 / 3), 3)
    assert found["b"].half == pytest.approx(half)
    assert (found["c"].mean, found["c"].half, found["c"].pairs) == (0.5, None, 1)


def test_the_table(lines):
    p = stats.ttest_rel([54, 55, 58], [50, 52, 51]).pvalue
    half = stats.t.ppf(0.975, 2) * np.std([4, 3, 7], ddof=1) / 3**0.5
    text = table(SECTION, lines)
    assert text[0] == ["model", "control", "mAP difference", "mAP p", "rank-1 difference", "rank-1 p", "pairs"]
    assert text[1][:4] == ["B", "A", f"+4.67 ({14 / 3 - half:+.2f} to {14 / 3 + half:+.2f})", f"{p:.3f}"]
    assert text[2] == ["C", "A", "+0.50", "", "+1.00", "", "1"]
    assert "| B | A | +4.67 (" in markdown(SECTION, lines, Path())


def test_p_is_corrected_for_the_number_of_rows(lines):
    lines[2].results.update({0: Result({"mAP": 53.0, "R": 1.0}, Path()), 2: Result({"mAP": 51.1, "R": 2.0}, Path())})
    found = compared(lines, "mAP")
    assert table(SECTION, lines)[1][3] == f"{min(1, 2 * found['b'].p):.3f}"  # the smaller of two is doubled


def test_no_control_no_table(lines):
    assert table(SECTION, lines[:1]) == [] and "Differences" not in markdown(SECTION, lines[:1], Path())
