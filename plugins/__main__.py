"""``python -m plugins``: list the plugins with their hosts."""
from __future__ import annotations

import sys

from .command import command
from .registry import plugins


@command("plugins")
def main() -> int:
    """Print the table; return 0, or 2 for a broken entry point."""
    rows = [("name", "host", "builder", "summary"), *plugins().values()]
    widths = [max(len(row[i]) for row in rows) for i in range(3)]
    for row in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=False)), row[3], sep="  ")
    return 0


if __name__ == "__main__":
    sys.exit(main())
