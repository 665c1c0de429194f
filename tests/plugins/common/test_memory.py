"""Freed memory stays with the process where the C library is glibc; others are left alone."""

import ctypes
import platform
import subprocess
import sys
from pathlib import Path

import pytest

from plugins.common.memory import keep_freed_memory

CHECK = """
import mmap, sys
from pathlib import Path
from plugins.common.memory import keep_freed_memory
import numpy as np
if sys.argv[1] == "kept":
    assert keep_freed_memory()
block = np.ones(1 << 27, np.uint8)
del block
print(int(Path("/proc/self/statm").read_text().split()[1]) * mmap.PAGESIZE)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="needs glibc")
def test_freed_memory_stays():
    sizes = [
        int(
            subprocess.run(
                [sys.executable, "-c", CHECK, how],
                capture_output=True,
                text=True,
                check=True,
                cwd=Path(__file__).parents[3],
            ).stdout
        )
        for how in ("kept", "system")
    ]
    assert sizes[0] > (1 << 27) > sizes[1]


def test_other_c_libraries_are_left_alone(monkeypatch):
    monkeypatch.setattr(ctypes, "CDLL", lambda name: object())
    assert keep_freed_memory() is False
