"""Clone the OpenGait that this was tested with.

It goes into the cache folder, where `--host auto` finds it.
"""

from __future__ import annotations

import argparse

from plugins.common.arguments import Parser


def add_arguments(parser: Parser) -> None:
    """Nothing to choose."""


def run(args: argparse.Namespace) -> None:
    """Clone it, or say where it is already."""
    from ..host.find import clone

    print(f"OpenGait is in {clone()}; `--host auto` finds it there")
