"""``opengait-ext prepare``: raw silhouettes and poses to OpenGait's layout."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from plugins.common.cli import GOES_ON, command

from ..data.prepare import __doc__ as RULES
from ..data.prepare.run import prepare


def build_parser() -> argparse.ArgumentParser:
    """Return the parser."""
    parser = argparse.ArgumentParser(
        prog="opengait-ext prepare", description=RULES, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--silhouettes", required=True, metavar="DIR", help="<id>/<cam_video>/<seq>/<frame>.png")
    parser.add_argument("--poses", required=True, metavar="DIR", help="<id>/<cam_video>/<seq>/<frame>.txt")
    parser.add_argument("--output", required=True, metavar="DIR", help="a new folder, or one to continue")
    parser.add_argument("--size", type=int, default=64, metavar="S", help="height and width, even (default 64)")
    parser.add_argument("--workers", type=int, metavar="N", help="processes (default: one for each core)")
    return parser


@command("opengait-ext prepare", GOES_ON)
def main(argv: Sequence[str] | None = None) -> int:
    """Run with the arguments ``argv``; return the exit status: 0, 2 for the user's mistake, 130 for Ctrl-C."""
    prepare(**vars(build_parser().parse_args(argv)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
