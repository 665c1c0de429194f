"""A program that starts others forks them instead: ``forked_children.main(package, ...)`` in a child of the server."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from typing import IO

from fork_server import run_python

Popen = subprocess.Popen


class ForkedChild:
    """What a leaderboard's runner uses of ``subprocess.Popen``, for command lines of Python."""

    def __init__(
        self, command: Sequence[str], *, stdout: IO, preexec_fn: Callable[[], None] | None = None, **_: object
    ) -> None:
        self.returncode: int | None = None
        self.pid = os.fork()
        if not self.pid:
            subprocess.Popen = Popen
            if preexec_fn:
                preexec_fn()
            run_python(command[1:], stdout.fileno(), stdout.fileno())

    def poll(self) -> int | None:
        """Return the exit status, or ``None`` while it runs."""
        return self._collect(os.WNOHANG)

    def wait(self) -> int:
        """Wait for its end; return the exit status."""
        return self._collect(0)

    def _collect(self, options: int) -> int | None:
        if self.returncode is None:
            pid, status = os.waitpid(self.pid, options)
            self.returncode = os.waitstatus_to_exitcode(status) if pid else None
        return self.returncode

    def terminate(self) -> None:
        """Ask it to end."""
        os.kill(self.pid, signal.SIGTERM)


def main(package: str, *argv: str) -> int:
    """Run a package's program with forked children."""
    subprocess.Popen = ForkedChild
    return sys.modules[f"{package}.__main__"].main(argv)
