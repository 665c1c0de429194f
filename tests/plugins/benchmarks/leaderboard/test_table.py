"""The leaderboards' files: what they say agrees with docs/leaderboards.md, and mistakes in them are named."""

import re
from pathlib import Path

import pytest
import yaml

from plugins.benchmarks.leaderboard import read_table, report
from plugins.benchmarks.leaderboard.summary import Line
from plugins.common.settings import resolve_config
from plugins.errors import KpstraError

ROOT = Path(__file__).parents[4]
SECTIONS = [("reid", "Market1501"), ("gait", "Gait3D")]


def page_table(heading: str) -> list[dict[str, str]]:
    """The rows of the first table below a heading, by column."""
    text = (ROOT / "docs" / "leaderboards.md").read_text(encoding="utf-8").partition(f"\n## {heading}\n")[2]
    lines = [line for line in text.partition("\n## ")[0].splitlines() if line.startswith("|")]
    table = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return [dict(zip(table[0], row, strict=True)) for row in table[2:]]


@pytest.mark.parametrize(("name", "title"), SECTIONS)
def test_the_rows_are_the_pages(name, title):
    """Each row of the page's tables, configuration and published numbers, and no row is missing there."""
    section = read_table("leaderboard", name)
    rows = {f"../configs/{row.config}.yaml": row for row in section.rows if row.config and row.tables}
    shown = page_table(title)
    for cells in shown:
        row = rows.pop(re.search(r"\((.+)\)", cells["configuration"])[1])
        assert cells["Table"] == ", ".join(map(str, row.tables))
        published = {key.removesuffix(" paper"): float(value) for key, value in cells.items() if key.endswith(" paper")}
        assert published == {
            heading: row.paper[metric] for metric, heading in section.metrics.items() if heading in published
        }
    assert shown and not rows


def test_published_complexities_are_the_pages():
    rows = {row.name: row for row in read_table("leaderboard", "reid").rows}
    units = {"M": 1e6, "G": 1e9}
    for cells in page_table("Complexity"):
        published = rows[cells["model"].split()[0]].complexity
        for column, key, unit in (("params paper", "parameters", 1e6), ("FLOPs paper", "macs", 1e9)):
            number, _, letter = cells[column].partition(" ")
            expected = float(number) * units[letter] if number else None
            assert (published[key] * unit if key in published else None) == pytest.approx(expected)


@pytest.mark.parametrize("table", ["leaderboard", "leaderboard_pets"])
@pytest.mark.parametrize(("section", "folder"), [("reid", "reid"), ("gait", "opengait")])
def test_every_named_configuration_is_the_hosts(table, section, folder):
    for row in read_table(table, section).rows:
        if row.config is not None:
            assert resolve_config(row.config).parent.name == folder


def test_every_published_row_is_there():
    """Table 5 of the KP-RPE paper has nine rows, seven of which have no configuration here."""
    gait = [row for row in read_table("leaderboard", "gait").rows if row.tables]
    assert len(gait) == 9 and sum(row.config is None for row in gait) == 7
    reid = read_table("leaderboard", "reid").rows
    assert [sum(number in row.tables for row in reid) for number in (1, 3, 4)] == [10, 3, 5]  # ResNet50 with both heads


VALID = {"title": "T", "metrics": {"mAP": "mAP"}, "rows": [{"name": name, "config": None} for name in ("a", "b")]}
MISTAKES = {
    "rws": ({"rws": []}, r"reid\.rws: unknown key \(did you mean 'rows'\?\)"),
    "row key": ({"rows": [{"name": "a", "confg": None}]}, r"rows\.0\.confg: unknown key \(did you mean 'config'\?\)"),
    "missing": ({"rows": [{"name": "a"}]}, r"rows\.0: `config` is missing"),
    "metric": ({"rows": [{"name": "a", "config": None, "paper": {"MAP": 1}}]}, r"paper\.MAP: unknown key"),
    "number": ({"rows": [{"name": "a", "config": None, "paper": {"mAP": "x"}}]}, "'x': expected a number"),
    "cost": ({"rows": [{"name": "a", "config": None, "complexity": {"flops": 1}}]}, r"complexity\.flops: unknown key"),
    "config": ({"rows": [{"name": "a", "config": "reid/resnet50_strra"}]}, "did you mean 'resnet50_stra'"),
    "twice": ({"rows": [{"name": "a", "config": None}] * 2}, "'a' is given twice"),
    "control": ({"rows": [{"name": "a", "config": None, "control": "a"}]}, "a.control: 'a': expected the name"),
    "warm": ({"rows": [{"name": "a", "config": None, "warm_start": "b"}]}, "a.warm_start: 'b': expected the name"),
    "no weights": (
        {"rows": [{"name": "a", "config": None}, {"name": "b", "config": "reid/resnet50_stra", "warm_start": "a"}]},
        "b.warm_start: 'a': a published number only",
    ),
    "slash": ({"rows": [{"name": "a/b", "config": None}]}, "no / in it"),
    "dots": ({"rows": [{"name": "..", "config": None}]}, "no . before it"),
    "nan": ({"rows": [{"name": "a", "config": None, "paper": {"mAP": float("nan")}}]}, "nan: expected a number"),
    "heading": ({"metrics": {"mAP": 5}}, "mAP: 5: expected text"),
    "data": ({"data": 5}, "data: 5: expected text"),
    "tables": ({"rows": [{"name": "a", "config": None, "tables": 1}]}, "tables: 1: expected a list"),
    "rows": ({"rows": 3}, "rows: 3: expected a list of rows"),
    "set": ({"rows": [{"name": "a", "config": None, "set": {"a.b": 1}}]}, "nothing to set it in"),
    "sets": ({"rows": [{"name": "a", "config": "reid/resnet50_stra", "set": 3}]}, "set: 3: expected dotted keys"),
    "nested": (
        {"rows": [{"name": "a", "config": "reid/resnet50_stra", "set": {"train": {"lr": 1}}}]},
        r"set\.train: {'lr': 1}: expected a dotted key",
    ),
    "row": ({"rows": [3]}, r"rows\.0: 3: expected keys and values"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistakes_in_a_file(tmp_path, mistake):
    change, message = MISTAKES[mistake]
    path = tmp_path / "table.yaml"
    path.write_text(yaml.dump({"reid": {**VALID, **change}}))
    with pytest.raises(KpstraError, match=rf"table\.yaml: .*{message}"):
        read_table(str(path), "reid")


def test_a_file_without_the_section(tmp_path):
    path = tmp_path / "table.yaml"
    path.write_text(yaml.dump({"reid": VALID}))
    assert [row.name for row in read_table(str(path), "reid").chosen(["b"])] == ["b"]
    with pytest.raises(KpstraError, match=r"no section 'gait'; there are reid"):
        read_table(str(path), "gait")
    path.write_text("[1]")
    with pytest.raises(KpstraError, match=r"table\.yaml: expected keys and values"):
        read_table(str(path), "reid")


def test_what_a_row_sets_is_yaml(tmp_path):
    path = tmp_path / "table.yaml"
    sets = {"a.lr": 0.1, "a.b": False, "a.layers": ["fc", "classifier"], "a.name": "1"}
    path.write_text(
        yaml.dump({"reid": {**VALID, "rows": [{"name": "a", "config": "reid/resnet50_stra", "set": sets}]}})
    )
    overrides = read_table(str(path), "reid").rows[0].overrides()
    assert {key: yaml.safe_load(value) for key, value in (one.split("=", 1) for one in overrides)} == sets
    assert "a.layers=[fc, classifier]" in overrides and "a.b=false" in overrides


@pytest.mark.parametrize(
    ("table", "rows", "here"), [("leaderboard_faces_kprpe", 20, 11), ("leaderboard_faces_stra", 6, 6)]
)
def test_the_published_numbers_of_faces_are_the_pages(table, rows, here):
    section = read_table(table, "reid")
    lines = [Line(row, {}, {}) for row in section.rows]
    assert len(lines) == rows and sum(line.row.config is not None for line in lines) == here
    text = (ROOT / "docs" / "faces-published.md").read_text(encoding="utf-8").partition(f"\n## {section.title}\n")[2]
    shown = [line for line in text.partition("\n## ")[0].splitlines() if line.startswith("|")][2:]
    columns = report.filled(section, lines)
    expected = [[report.cells(section, line)[column] for column in columns] for line in lines]
    assert [[cell.strip() for cell in line[1:-1].split("|")] for line in shown] == expected
