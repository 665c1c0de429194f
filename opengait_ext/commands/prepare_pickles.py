"""Join OpenGait's silhouette and pose pickles, approximately."""

from __future__ import annotations

import argparse

from plugins.common.arguments import Parser
from plugins.common.cli import GOES_ON

INTERRUPTED = GOES_ON


def add_arguments(parser: Parser) -> None:
    """The folders and the processes."""
    from ..data.prepare.pickles import __doc__ as rules

    parser.description = rules
    parser.add_argument("--silhouettes", required=True, metavar="DIR", help="OpenGait's silhouettes")
    parser.add_argument("--poses", required=True, metavar="DIR", help="OpenGait's poses")
    parser.add_argument("--output", required=True, metavar="DIR", help="a new folder, or one to continue")
    parser.add_argument("--workers", type=int, metavar="N", help="processes (default: one for each core)")


def run(args: argparse.Namespace) -> None:
    """Join what is not there yet."""
    from ..data.prepare.pickles import prepare_pickles

    prepare_pickles(**vars(args))
