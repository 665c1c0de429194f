"""The short training of `bench gpu`: the command it runs, and the rows of finished runs."""

import subprocess
from pathlib import Path

import pytest
import torch

from opengait_ext.benchmarks.study import short
from opengait_ext.commands.study import add_arguments
from plugins.common.arguments import Parser
from plugins.common.budget import Budget
from plugins.errors import KpstraError

RESULTS = Path(__file__).parents[4] / "docs" / "results" / "study"


def test_the_command_is_a_studys(tmp_path):
    """Of one seed, in what is left of the budget."""
    parser = Parser()
    add_arguments(parser)
    line = short.command("cuda", tmp_path / "study", tmp_path / "walkers", "embedded", 100.0)
    given = parser.parse_args(line[line.index("study") + 1 :])
    assert (given.rows, given.seeds, given.tests) == (["plain", "static", "first-order"], [0], ["clean"])
    assert given.device == "cuda" and given.budget == 100.0 - short.LATER
    unlimited = short.command("cuda", tmp_path, tmp_path, "embedded", float("inf"))
    assert "--budget" not in unlimited


def test_rows_are_those_of_finished_runs():
    """The trunk first, from which all start, at the table's lengths."""
    rows = short.rows_of(RESULTS)
    assert [row["iterations"] for row in rows] == [400, 300, 300, 300]
    assert [row["network"] for row in rows][1:] == ["SwinGait-2D", "first order, no keypoints", "first order"]
    assert all(row["training, s"] > 0 and row["mAP"] < row["Rank-1"] < 100 for row in rows)


def test_runs_that_are_not_there_are_left_out(tmp_path):
    assert short.rows_of(tmp_path) == []


@pytest.mark.parametrize("status", [0, 1])
def test_a_failed_study_is_told(status, tmp_path, monkeypatch):
    lines = []
    monkeypatch.setattr(
        short.subprocess, "run", lambda line, check: lines.append(line) or subprocess.CompletedProcess(line, status)
    )
    (part,) = short.parts(torch.device("cuda"), 1, tmp_path, "embedded", Budget(100, lambda: 0.0))
    if status:
        with pytest.raises(KpstraError, match=r"a training on walkers failed; .* logs are in .*study"):
            part()
    else:
        assert part() == []
    assert lines[0][lines[0].index("--budget") + 1] == "80"
