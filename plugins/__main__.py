"""``python -m plugins``: list the plugins with their hosts."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from .common.cli import command, dispatch
from .registry import plugins

COMMANDS = {"toy": "plugins.benchmarks.toy.__main__", "bench": "plugins.benchmarks.speed.__main__"}


def main(argv: Sequence[str] | None = None) -> int:
    """Run a subcommand, or list the plugins; return the exit status."""
    argv = list(sys.argv[1:] if argv is None else argv)
    subcommand = dispatch(argv, COMMANDS)
    return subcommand(argv[1:]) if subcommand else listing()


@command("plugins")
def listing() -> int:
    """Print the table; return 0, or 2 for a broken entry point."""
    rows = [("name", "host", "builder", "summary"), *plugins().values()]
    widths = [max(len(row[i]) for row in rows) for i in range(3)]
    for row in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=False)), row[3], sep="  ")
    return 0


if __name__ == "__main__":
    sys.exit(main())
