"""Prepare raw silhouettes and poses in OpenGait's layout."""

from __future__ import annotations

import argparse

from plugins.common.arguments import Parser
from plugins.common.cli import GOES_ON

INTERRUPTED = GOES_ON


def add_arguments(parser: Parser) -> None:
    """The folders, the size, the processes."""
    from ..data.prepare import __doc__ as rules
    from ..data.prepare.layouts import LAYOUTS

    parser.description = rules
    parser.add_argument("--silhouettes", required=True, metavar="DIR", help="<id>/<cam_video>/<seq>/<frame>.png")
    parser.add_argument(
        "--poses", required=True, metavar="DIR", help="<id>/<cam_video>/<seq>/<frame>.txt; or as the layout has them"
    )
    parser.add_argument(
        "--layout",
        choices=list(LAYOUTS),
        help="of which data set (default: gait3d, also for one's own; other data sets' files are recognised, and the "
        "layout to give is named)",
    )
    parser.add_argument("--output", required=True, metavar="DIR", help="a new folder, or one to continue")
    parser.add_argument("--size", type=int, default=64, metavar="S", help="height and width of the frames, even")
    parser.add_argument("--workers", type=int, metavar="N", help="processes (default: one for each core)")


def run(args: argparse.Namespace) -> None:
    """Prepare what is not there yet."""
    from ..data.prepare import prepare

    prepare(**vars(args))
