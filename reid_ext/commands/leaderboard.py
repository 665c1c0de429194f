"""Train, test and report the rows of a leaderboard."""

from __future__ import annotations

import argparse

from plugins.benchmarks.leaderboard import cli
from plugins.common.arguments import Parser

INTERRUPTED = "the same command goes on from the last checkpoints"


def add_arguments(parser: Parser) -> None:
    """The leaderboards' options and the host's."""
    run = cli.add_arguments(parser, "train.max_epoch=2")
    run.add_argument("--root", dest="data", default="", metavar="FOLDER", help="the data (default: the table's)")


def run(args: argparse.Namespace) -> int:
    """Run the command; return 0, or 1 if a run failed."""
    from ..benchmarks.leaderboard import TorchreidHost

    return cli.run(TorchreidHost, args)
