"""A command as a child process that dies with this one, and why it failed, in one line."""

from __future__ import annotations

import ctypes
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from ...errors import KpstraError

OURS = re.compile(r"[\w -]+: error: ")
DEATH_SIGNAL = 1  # Linux's PR_SET_PDEATHSIG


@contextmanager
def child(
    command: Sequence[str], console: Path, lock: IO | None = None, env: Mapping[str, str] | None = None
) -> Iterator[subprocess.Popen]:
    """Run a command beside the block, its output appended to ``console``; the block's end waits for it.

    If the block is left by an exception, the command is ended.

    Args:
        lock: a locked file; the child holds the lock on when this process is killed.
        env: its environment; by default this process's.

    Raises:
        KpstraError: its exit status is not 0; the message is its last line that speaks of an error.
    """
    with console.open("ab") as stream:
        start = stream.tell()
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=subprocess.STDOUT,
            preexec_fn=_die_with_parent if sys.platform == "linux" else None,
            pass_fds=[lock.fileno()] if lock and os.name == "posix" else (),
            env=env,
        )
        try:
            yield process
            status = process.wait()
        except BaseException:
            process.terminate()
            process.wait()
            raise
    if status:
        with console.open("rb") as stream:
            stream.seek(start)
            lines = [line.strip() for line in stream.read().decode(errors="replace").splitlines() if line.strip()]
        ended = f"exit status {status}" if status > 0 else f"killed by signal {-status}"
        raise KpstraError(f"{ended}: {_reason(lines)} (see {console})")


def _reason(lines: Sequence[str]) -> str:
    """Of what a command printed, the last line that tells a mistake as ours do, or speaks of an error, or is there."""
    ours = [line for line in lines if OURS.match(line)]
    errors = [line for line in lines if "error" in line.lower()]
    return next(iter([*ours[-1:], *errors[-1:], *lines[-1:]]), "it printed nothing")


def _die_with_parent() -> None:
    ctypes.CDLL(None).prctl(DEATH_SIGNAL, signal.SIGTERM)
