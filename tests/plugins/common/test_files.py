"""Atomic writing: what a killed writer leaves is removed by the next, and nothing of a living one is."""

import subprocess
import sys

from plugins.common.files import atomic_write

KILLED = """
import os, signal, sys
from plugins.common.files import atomic_write
with atomic_write(sys.argv[1]) as stream:
    stream.write(b"half")
    stream.flush()
    print(flush=True)
    sys.stdin.read()
    os.kill(os.getpid(), signal.SIGKILL)
"""


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_leftovers_of_killed_writers_are_removed_and_those_of_living_ones_not(tmp_path):
    target, other = tmp_path / "a[1].pt", tmp_path / ".a.pt.other.tmp"
    other.write_bytes(b"of another file")
    writer = subprocess.Popen(
        [sys.executable, "-c", KILLED, str(target)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    writer.stdout.readline()
    with atomic_write(target) as stream:
        stream.write(b"first")
    assert len(names(tmp_path)) == 3 and target.read_bytes() == b"first"
    writer.communicate()
    assert len(names(tmp_path)) == 3 and target.read_bytes() == b"first"
    with atomic_write(target) as stream:
        stream.write(b"second")
    assert names(tmp_path) == sorted([target.name, other.name]) and target.read_bytes() == b"second"
