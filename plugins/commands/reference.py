"""Write the reference of commands: this program's parts of the generated pages."""

from __future__ import annotations

import argparse

from ..common.arguments import Parser


def add_arguments(parser: Parser) -> None:
    """The folder of the pages."""
    from ..common.reference import add_output

    add_output(parser)


def run(args: argparse.Namespace) -> None:
    """Write this program's parts."""
    from ..__main__ import PROGRAM
    from ..common.reference import write_commands

    print(write_commands(PROGRAM, args.output))
