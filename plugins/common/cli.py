"""How every command line ends: its exit status, and one line for the user's mistake or Ctrl-C."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import wraps

from ..errors import KpstraError, plain
from .processes import plain_endings

GOES_ON = "the same command goes on from there"


def command(program: str, interrupted: str = "") -> Callable[[Callable[..., int | None]], Callable[..., int]]:
    """Decorate a ``main``: it returns what it did (0 for None), 2 for the user's mistake, 130 for Ctrl-C.

    Args:
        program: its name, which such a line begins with.
        interrupted: what a user who pressed Ctrl-C should know; a KeyboardInterrupt's own message comes before it.
    """

    def decorate(main: Callable[..., int | None]) -> Callable[..., int]:
        @wraps(main)
        def guarded(*args, **kwargs) -> int:
            try:
                with plain_endings():
                    return main(*args, **kwargs) or 0
            except KpstraError as error:
                print(f"{program}: error: {plain(error)}", file=sys.stderr)
                return 2
            except KeyboardInterrupt as ended:
                told = str(ended) or interrupted
                print(f"\n{program}: interrupted{told and f'; {told}'}", file=sys.stderr)
                return 130

        return guarded

    return decorate


def dispatch(argv: Sequence[str], commands: Mapping[str, str]) -> Callable[[Sequence[str]], int] | None:
    """Return the ``main`` of the subcommand that ``argv`` begins with, or ``None`` if it begins with none of them.

    Args:
        argv: the command line without the program.
        commands: the module of every subcommand.
    """
    if not argv or argv[0] not in commands:
        return None
    return importlib.import_module(commands[argv[0]]).main
