"""List the plugins with their hosts."""

from __future__ import annotations

import argparse

from ..common.arguments import Parser
from ..registry import plugins


def add_arguments(parser: Parser) -> None:
    """Nothing to choose."""


def run(args: argparse.Namespace) -> None:
    """Print the table."""
    rows = [("name", "host", "builder", "summary"), *plugins().values()]
    widths = [max(len(row[i]) for row in rows) for i in range(3)]
    for row in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=False)), row[3], sep="  ")
