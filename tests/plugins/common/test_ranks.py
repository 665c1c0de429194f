"""Several processes: one of them tells, and the status is that of the first that failed."""

import json
import subprocess
import sys

import pytest

from plugins.common.ranks import first_to_tell

PROGRAM = """
import sys
from plugins.common.ranks import run_processes
print("status", run_processes(2, ["-c", sys.argv[1]]))
"""
CHILD = """
import os, sys
from plugins.common.ranks import first_to_tell
rank = int(os.environ["RANK"])
if first_to_tell("wrong"):
    print("wrong", flush=True)
sys.exit({status})
"""


def run(child):
    return subprocess.run([sys.executable, "-c", PROGRAM, child], capture_output=True, text=True, timeout=120)


def test_alone_a_process_tells(monkeypatch):
    monkeypatch.delenv("TORCHELASTIC_ERROR_FILE", raising=False)
    assert first_to_tell("a") and first_to_tell("b")


def test_of_several_the_first_tells_and_all_report(monkeypatch, tmp_path):
    told = []
    for rank in (0, 1, 2):
        file = tmp_path / "attempt_0" / str(rank) / "error.json"
        file.parent.mkdir(parents=True)
        monkeypatch.setenv("TORCHELASTIC_ERROR_FILE", str(file))
        told.append(first_to_tell(f"wrong {rank}"))
        assert json.loads(file.read_text())["message"]["message"] == f"wrong {rank}"
    assert told == [True, False, False]


@pytest.mark.slow
def test_two_processes_fail_in_one_line():
    """No report and no traceback of the launcher's."""
    done = run(CHILD.format(status=2))
    assert done.stdout.split("\n") == ["wrong", "status 2", ""] and done.stderr == ""


def test_two_processes_succeed():
    assert run(CHILD.format(status=0)).stdout.endswith("status 0\n")
