"""The table of faults counts what was tried, in one process and in several."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = """
import pytest
from hypothesis import given, strategies as st

@given(x=st.integers())
def test_property(record, x):
    record("numbers", "error named")

@pytest.mark.parametrize("x", range(3))
def test_cases(record, x):
    record("files", "error named" if x else "stated rule", 2)

def test_fails(record):
    record("files", "error named")
    raise ValueError

def test_forgets(record):
    pass
"""


@pytest.mark.parametrize(
    "processes",
    [pytest.param((), id="one process"), pytest.param(("-n", "2"), id="two processes", marks=pytest.mark.slow)],
)
def test_counts_are_those_of_the_cases_tried(tmp_path, processes):
    folder = tmp_path / "tests" / "faults"
    folder.mkdir(parents=True)
    shutil.copy(Path(__file__).with_name("conftest.py"), folder)
    (folder / "test_made_up.py").write_text(TESTS)
    (tmp_path / "pytest.ini").write_text("[pytest]\nmarkers = slow: long\n")
    environment = {**os.environ, "PYTHONPATH": "", "PYTEST_ADDOPTS": ""}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-m", "not slow", "tests/faults", "--fault-table", *processes],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
    )
    again = "`tests/faults/test_made_up.py`"
    assert f"| numbers | 10 | error named: 10 | {again} |" in done.stdout, done.stdout + done.stderr
    assert f"| files | 7 | error named: 4; stated rule: 2; FAILED: 1 | {again} |" in done.stdout
    assert "| in all | 17 |" in done.stdout
    assert "this test takes `record` and recorded no case" in done.stdout
    assert done.returncode == 1
