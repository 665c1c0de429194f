"""The page of a leaderboard, from folders of runs."""

import json
from dataclasses import replace

import pytest

from plugins.benchmarks.leaderboard import Host, Result, Row, Section
from plugins.benchmarks.leaderboard.folder import keep_command, read_commands
from plugins.benchmarks.leaderboard.page import page
from plugins.benchmarks.leaderboard.runner import run_folder
from plugins.benchmarks.leaderboard.summary import collect
from plugins.benchmarks.report import Series
from plugins.errors import KpstraError

ROWS = (
    Row("old", "Old", (5,), None, {"mAP": 30.5}),
    Row("a", "A", (1,), "c", {"mAP": 70.0}),
    Row("b", "B", (1,), "c", {"mAP": 71.0}),
)
SECTION = Section("fake", "Fake", "Of nothing.", {"mAP": "mAP"}, ROWS)


class FakeHost(Host):
    moving = ("place",)
    step = "iteration"

    @staticmethod
    def result(folder):
        log = folder / "log"
        return Result({"mAP": float(log.read_text())}, log) if log.is_file() else None

    @staticmethod
    def curves(folder):
        return {"loss": Series([0, 1], [2.0, 1.0])} if (folder / "log").is_file() else {}


def write(results, name, seed, measured=None, **settings):
    """A run's folder as the runner leaves it; unfinished without a number."""
    folder = run_folder(results, SECTION, name, seed)
    folder.mkdir(parents=True)
    settings = {"lr": 0.1, "seed": seed, "place": str(folder), **settings}
    (folder / "settings.json").write_text(json.dumps({"changed": {}, "settings": settings}))
    if measured is not None:
        (folder / "log").write_text(str(measured))
    return folder


def test_the_page_of_runs(tmp_path):
    first = write(tmp_path, "a", 0, 60.0)
    write(tmp_path, "a", 1, 62.0)
    second = write(tmp_path, "b", 0, lr=0.2, extra=["x", 1])
    keep_command(first, "train it", {"torch": "2.8"})
    keep_command(first, "test it", {"torch": "2.9"})
    keep_command(second, "train b", {"torch": "2.9"})
    made = page(FakeHost, SECTION, collect(SECTION, ROWS, tmp_path, FakeHost.result, {}), tmp_path)
    assert made.title == "Leaderboard: Fake" and made.about == ["Of nothing."]
    (table,) = made.tables
    assert table.headings == ["Table", "model", "mAP paper", "mAP measured", "seeds"]
    assert table.rows[1:] == [["1", "A", "70.0", "61.00 ± 1.41", "2"], ["1", "B", "71.0", "not measured", ""]]
    assert "sample standard deviation" in table.caption
    assert any(note.startswith("b seed 0: begun and not finished") for note in table.notes)
    assert made.settings == {"A": {"lr": "0.1", "seed": "0, 1"}, "B": {"lr": "0.2", "seed": "0", "extra": "[x, 1]"}}
    assert made.commands == {"a, seed 0": ["train it", "test it"], "b, seed 0": ["train b"]}
    assert made.versions == {"torch": "2.8, 2.9, not recorded"}  # run 1 of a: from before commands were kept
    (picture,) = made.pictures
    assert picture.png.startswith(b"\x89PNG")


def test_differences_to_controls_are_a_table_of_their_own(tmp_path):
    rows = (ROWS[1], replace(ROWS[2], control="a"))
    for name, values in (("a", (60.0, 62.0, 64.0)), ("b", (61.0, 62.5, 64.75))):
        for seed, value in enumerate(values):
            write(tmp_path, name, seed, value)
    section = replace(SECTION, rows=rows)
    made = page(FakeHost, section, collect(section, rows, tmp_path, FakeHost.result, {}), tmp_path)
    _, differences = made.tables
    assert differences.headings == ["model", "control", "mAP difference", "mAP p", "pairs"]
    assert differences.rows[0][:2] == ["B", "A"] and differences.rows[0][2].startswith("+0.75 (")
    assert "95 % interval" in differences.caption


def test_the_page_of_a_table_before_any_run(tmp_path):
    made = page(FakeHost, SECTION, collect(SECTION, ROWS, tmp_path, FakeHost.result, {}), tmp_path)
    assert [row[-1] for row in made.tables[0].rows] == ["paper only", "not measured", "not measured"]
    assert not (made.pictures or made.settings or made.commands or made.versions)


@pytest.mark.parametrize("content", ["{", '{"commands": 5}', '{"commands": [{"command": "x"}]}'])
def test_damaged_commands_are_named(tmp_path, content):
    (tmp_path / "commands.json").write_text(content)
    with pytest.raises(KpstraError, match=r"commands\.json: .*expected the commands of a run; delete it"):
        read_commands(tmp_path)
