"""Which runs a time limit lets begin, with a clock that stands still until it is moved."""

import math

import pytest

from plugins.common.arguments import Parser
from plugins.common.budget import Budget, add_budget, duration
from plugins.errors import KpstraError


class Clock:
    now = 1000.0

    def __call__(self):
        return self.now


def test_a_run_begins_only_if_the_longest_of_its_kind_fits():
    clock = Clock()
    budget = Budget(100, clock)
    assert budget.allows("a") and budget.expected("a") == 0  # of the first nothing is known
    clock.now += 30
    budget.note("a", 30)
    budget.note("a", 20)
    assert budget.expected("a") == budget.expected("b") == 30  # an unknown kind as the longest of any
    budget.note("b", 60)
    clock.now += 15
    assert (budget.left, budget.allows("a"), budget.allows("b"), budget.allows("c")) == (55, True, False, False)
    clock.now += 25
    assert budget.allows("a")  # just in time
    clock.now += 0.1
    assert not budget.allows("a")


def test_a_share_is_of_what_is_left():
    """By the same clock; what has taken its time is remembered, unless it failed."""
    clock = Clock()
    budget = Budget(100, clock)
    clock.now += 40
    share = budget.share(2)
    with share.timed("a"):
        clock.now += 20
    assert (share.left, share.expected("a"), share.allows("a")) == (10, 20, False)
    with pytest.raises(ZeroDivisionError), share.timed("b"):
        clock.now += 1 / 0
    assert share.expected("b") == 20 and budget.share(1).left == 40
    assert Budget(None, clock).share(3).left == math.inf and Budget(-5, clock).share(1).left == 0


def test_after_its_end_nothing_begins():
    clock = Clock()
    budget = Budget(10, clock)
    clock.now += 10
    assert not budget.allows("unknown")


def test_without_a_limit_everything_begins():
    budget = Budget(None, Clock())
    budget.note("a", 1e9)
    assert budget.allows("a") and budget.left == math.inf


@pytest.mark.parametrize(
    ("text", "seconds"), [("90", 90), ("90s", 90), ("10m", 600), ("1h30m", 5400), ("0.5h", 1800), ("1h1m1s", 3661)]
)
def test_durations(text, seconds):
    assert duration(text) == seconds


@pytest.mark.parametrize("text", ["", "0", "0m", "-3m", "ten", "5d", "10m1h", "nan", "1e3"])
def test_what_is_no_duration_is_refused(text):
    parser = Parser(prog="p")
    add_budget(parser)
    with pytest.raises(KpstraError, match=r"argument --budget: .* such as 90s, 10m or 1h30m"):
        parser.parse_args([f"--budget={text}"])


def test_the_option():
    parser = Parser(prog="p")
    add_budget(parser)
    assert (parser.parse_args([]).budget, parser.parse_args(["--budget", "10m"]).budget) == (None, 600)
