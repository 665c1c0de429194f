"""Counts what the fault tests tried: ``python -m pytest tests/faults --fault-table`` prints the table of it.

A test takes the fixture ``record`` and calls ``record(kind, outcome)`` once for each case it has checked, Hypothesis'
examples included. Counts travel with pytest's reports, so that they are the same under ``-n 2``. Cases of a test that
failed are counted as failed, whatever it recorded. ``-m 'not slow'`` tries few examples of each property, else many.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

FEW, MANY = 10, 200
PROPERTY = "fault cases"
SETTINGS = {
    "derandomize": True,
    "database": None,
    "deadline": None,
    "suppress_health_check": [HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
}
settings.register_profile("few", max_examples=FEW, **SETTINGS)
settings.register_profile("many", max_examples=MANY, **SETTINGS)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add ``--fault-table``."""
    parser.addoption("--fault-table", action="store_true", help="print what the fault tests tried, as Markdown")


def pytest_configure(config: pytest.Config) -> None:
    """Choose how many examples Hypothesis tries, and collect the counts."""
    settings.load_profile("few" if "not slow" in config.option.markexpr else "many")
    if config.getoption("--fault-table", default=False):
        config.pluginmanager.register(FaultTable())


@pytest.fixture
def record(request: pytest.FixtureRequest) -> Iterator[Callable[..., None]]:
    """``record(kind, outcome, count=1)``: so many cases of this kind of fault ended so."""
    counts: Counter[tuple[str, str]] = Counter()

    def add(kind: str, outcome: str, count: int = 1) -> None:
        counts[kind, outcome] += count

    yield add
    assert counts, "this test takes `record` and recorded no case"
    request.node.user_properties += [(PROPERTY, [*key, count]) for key, count in counts.items()]


class FaultTable:
    """The table: a row for each kind of fault."""

    def __init__(self) -> None:
        self.outcomes: dict[str, Counter[str]] = defaultdict(Counter)
        self.files: dict[str, set[str]] = defaultdict(set)
        self.failed: set[str] = set()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Add one test's counts; pytest hands the properties over with each of its phases, the last has them all."""
        if report.failed:
            self.failed.add(report.nodeid)
        if report.when != "teardown":
            return
        for name, case in report.user_properties:
            if name == PROPERTY:
                kind, outcome, count = case
                self.outcomes[kind]["FAILED" if report.nodeid in self.failed else outcome] += count
                self.files[kind].add(Path(report.nodeid.partition("::")[0]).name)

    def rows(self) -> Iterator[str]:
        """Lines of Markdown."""
        yield "| kind of fault | cases tried | what happened | again: `python -m pytest` |"
        yield "|---|---|---|---|"
        for kind, outcomes in sorted(self.outcomes.items()):
            happened = "; ".join(f"{outcome}: {count}" for outcome, count in outcomes.most_common())
            files = " ".join(f"tests/faults/{name}" for name in sorted(self.files[kind]))
            yield f"| {kind} | {outcomes.total()} | {happened} | `{files}` |"
        yield f"| in all | {sum(o.total() for o in self.outcomes.values())} | | `tests/faults --fault-table` |"

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Print it."""
        terminalreporter.section("faults tried")
        for row in self.rows():
            terminalreporter.write_line(row)
