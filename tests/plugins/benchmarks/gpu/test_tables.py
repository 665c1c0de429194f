"""Tables share a budget, part by part; the page has what was measured when the time is over."""

import json
from argparse import Namespace

import pytest

from plugins.benchmarks.gpu import tables
from plugins.benchmarks.gpu.page import JSON
from plugins.common.budget import Budget


class Clock:
    """A clock that parts move on."""

    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now

    def table(self, count, seconds):
        """What gives ``count`` parts of one row, each of ``seconds``."""
        return lambda device, repeats: [lambda i=i: self.measure(i, seconds) for i in range(count)]

    def measure(self, number, seconds):
        self.now += seconds
        return [{"network": f"part {number}"}]


def measured(folder, budget, **parts):
    """The number of parts measured of each table, from the file; nothing else may be in it."""
    tables.run_tables(Namespace(folder=folder, repeats=1, budget=None), parts, budget)
    content = json.loads((folder / JSON).read_text())
    assert content["setting"] == {"card": "A"}
    assert {name: len(rows) for name, rows in content["tables"].items()} == {
        name: done for name, (done, _) in content["parts"].items()
    }
    return content["parts"]


@pytest.fixture(autouse=True)
def card(monkeypatch):
    monkeypatch.setattr(tables, "card", lambda: {"card": "A"})


def test_without_a_budget_everything_is_measured(tmp_path):
    clock = Clock()
    parts = {"transformers": clock.table(3, 1000), "attention": clock.table(2, 1000)}
    assert measured(tmp_path, None, **parts) == {"transformers": [3, 3], "attention": [2, 2]}


def test_each_table_has_its_share(tmp_path):
    """Of 100 s: 50 for the first, whose third part of 20 s would end too late, then 60 for the second."""
    clock = Clock()
    budget = Budget(100, clock)
    parts = {"transformers": clock.table(8, 20), "attention": clock.table(8, 15)}
    assert measured(tmp_path, budget, **parts) == {"transformers": [2, 8], "attention": [4, 8]}
    assert clock.now == 100


def test_what_one_does_not_need_is_for_the_next(tmp_path):
    clock = Clock()
    budget = Budget(100, clock)
    parts = {"transformers": clock.table(1, 10), "attention": clock.table(20, 9)}
    assert measured(tmp_path, budget, **parts) == {"transformers": [1, 1], "attention": [10, 20]}


def test_what_was_measured_stays_until_there_is_as_much(tmp_path):
    clock = Clock()
    measured(tmp_path, None, attention=clock.table(4, 10))
    again = [lambda i=i: clock.measure(i + 10, 10) for i in range(4)]
    assert measured(tmp_path, Budget(20, clock), attention=lambda device, repeats: again) == {"attention": [4, 4]}
    rows = [row["network"] for row in json.loads((tmp_path / JSON).read_text())["tables"]["attention"]]
    assert rows == ["part 0", "part 1", "part 2", "part 3"]
    assert measured(tmp_path, Budget(50, clock), attention=lambda device, repeats: again) == {"attention": [4, 4]}
    rows = [row["network"] for row in json.loads((tmp_path / JSON).read_text())["tables"]["attention"]]
    assert rows == ["part 10", "part 11", "part 12", "part 13"]
    assert measured(tmp_path, Budget(5, clock), attention=clock.table(3, 10)) == {"attention": [1, 3]}


def test_nothing_is_begun_after_the_end(tmp_path):
    """The first part of a table is begun as long as there is time, however long it takes."""
    clock = Clock()
    budget = Budget(100, clock)
    parts = {"transformers": clock.table(2, 300), "attention": clock.table(2, 1)}
    assert measured(tmp_path, budget, **parts) == {"transformers": [1, 2]}
