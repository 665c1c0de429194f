"""A time limit for many runs: none is begun that would not end in time, by what runs have taken so far."""

from __future__ import annotations

import argparse
import math
import re
import time
from argparse import ArgumentParser
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager

UNITS = {"h": 3600, "m": 60, "s": 1}
DURATION = re.compile(r"(?:(\d+(?:\.\d+)?)h)?(?:(\d+(?:\.\d+)?)m)?(?:(\d+(?:\.\d+)?)s?)?")


class Budget:
    """The time that runs may take together, counted from here.

    A run is expected to take as long as the longest of its kind so far, or, the first of its kind, as the longest of
    any kind; of the very first nothing is known, and it is begun.

    >>> budget = Budget(600)
    >>> if budget.allows("plain"):
    ...     with budget.timed("plain"):
    ...         train()

    Args:
        seconds: the limit; ``None`` for none.
        clock: returns seconds that never go back.
    """

    def __init__(self, seconds: float | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._end = math.inf if seconds is None else clock() + seconds
        self._longest: dict[Hashable, float] = {}

    @property
    def left(self) -> float:
        """Seconds until the limit; below 0 after it, infinite without one."""
        return self._end - self._clock()

    def expected(self, kind: Hashable) -> float:
        """Return the seconds that a run of this kind is expected to take."""
        return self._longest.get(kind, max(self._longest.values(), default=0.0))

    def allows(self, kind: Hashable) -> bool:
        """Whether a run of this kind that is begun now is expected to end in time."""
        return self.expected(kind) <= self.left and self.left > 0

    def share(self, among: int) -> Budget:
        """Return the budget of the first of so many that divide what is left equally."""
        return Budget(None if math.isinf(self._end) else max(0.0, self.left) / among, self._clock)

    @contextmanager
    def timed(self, kind: Hashable) -> Iterator[None]:
        """Remember how long the block takes, unless it raises."""
        began = self._clock()
        yield
        self.note(kind, self._clock() - began)

    def note(self, kind: Hashable, seconds: float) -> None:
        """Remember what a finished run of this kind has taken."""
        self._longest[kind] = max(seconds, self._longest.get(kind, 0.0))


def duration(text: str) -> float:
    """Read a duration, ``90``, ``90s``, ``10m`` or ``1h30m``, as seconds.

    Raises:
        argparse.ArgumentTypeError: it is none, or nothing.
    """
    match = DURATION.fullmatch(text.strip())
    parts = match.groups(default="0") if match else ()
    seconds = sum(float(part) * unit for part, unit in zip(parts, UNITS.values(), strict=False))
    if not seconds:
        raise argparse.ArgumentTypeError(f"{text!r}: expected a duration above 0 such as 90s, 10m or 1h30m")
    return seconds


def add_budget(parser: ArgumentParser) -> None:
    """Add ``--budget``, in seconds."""
    parser.add_argument(
        "--budget", type=duration, metavar="10m", help="begin no run that would not end in time (default: no limit)"
    )
