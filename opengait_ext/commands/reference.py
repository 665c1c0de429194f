"""Write the reference of commands and settings: this program's parts of the generated pages."""

from __future__ import annotations

import argparse

from plugins.common.arguments import Parser


def add_arguments(parser: Parser) -> None:
    """The folder of the pages."""
    from plugins.common.reference import add_output

    add_output(parser)


def run(args: argparse.Namespace) -> None:
    """Write this program's parts."""
    from plugins.common.reference import SETTINGS, write, write_commands

    from ..__main__ import PROGRAM
    from ..settings.reference import setting_lines

    print(write_commands(PROGRAM, args.output))
    print(write(args.output, SETTINGS, PROGRAM, setting_lines()))
