"""What a run says: all of it in the log file, on the console only what the user looks for or can act on."""

from __future__ import annotations

import io
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

import torch

from ..host import torchreid

LIBRARIES = tuple(str(Path(module.__file__).parent) for module in (torch, torchreid))


class RunLog(io.TextIOBase):
    """Standard output of a run: copied to a log file, and kept in memory until :meth:`open` names that."""

    def __init__(self, console: TextIO) -> None:
        self.console, self.quiet = console, False
        self._file: TextIO = io.StringIO()

    def open(self, path: Path) -> None:
        """Go on in a file, which begins with what was said so far."""
        path.parent.mkdir(parents=True, exist_ok=True)
        file = open(path, "w", encoding="utf-8", buffering=1)  # noqa: SIM115, closed by close()
        file.write(self._file.getvalue())
        self._file = file

    def write(self, text: str) -> int:
        """Write to the log, and to the console unless it is quiet."""
        self._file.write(text)
        return len(text) if self.quiet else self.console.write(text)

    def flush(self) -> None:
        """Flush both."""
        self._file.flush()
        self.console.flush()

    def close(self) -> None:
        """Close the log file; the console stays open."""
        self._file.close()


@contextmanager
def run_log() -> Iterator[RunLog]:
    """Let standard output be a :class:`RunLog` for the block; deprecations inside the libraries go to its file only."""
    log = RunLog(sys.stdout)
    show = warnings.showwarning

    def shown(message, category, filename, lineno, file=None, line=None) -> None:
        if issubclass(category, (DeprecationWarning, FutureWarning)) and filename.startswith(LIBRARIES):
            with quiet():
                print(warnings.formatwarning(message, category, filename, lineno, line).rstrip())
        else:
            show(message, category, filename, lineno, file, line)

    sys.stdout, warnings.showwarning = log, shown
    try:
        yield log
    finally:
        sys.stdout, warnings.showwarning = log.console, show
        log.close()


@contextmanager
def quiet() -> Iterator[None]:
    """Let what is printed in the block go to the log file only; without a :class:`RunLog` it is printed."""
    log = sys.stdout
    if not isinstance(log, RunLog):
        yield
        return
    before, log.quiet = log.quiet, True
    try:
        yield
    finally:
        log.quiet = before


def print_report(text: str) -> None:
    """Print a report's first line; its others go to the log file only."""
    first, _, others = text.partition("\n")
    print(first)
    if others:
        with quiet():
            print(others)
