"""Train, test and report the rows of a leaderboard."""

from __future__ import annotations

import argparse

from plugins.benchmarks.leaderboard import cli
from plugins.common.arguments import Parser

from ..host.options import add_host

INTERRUPTED = "the same command goes on from the last checkpoints"


def add_arguments(parser: Parser) -> None:
    """The leaderboards' options and the host's."""
    run = cli.add_arguments(parser, "trainer_cfg.total_iter=100")
    run.add_argument("--data", default="", metavar="FOLDER", help="prepared data (default: the table's)")
    add_host(run)
    run.add_argument("--processes", type=int, default=1, metavar="N", help="of each run")


def run(args: argparse.Namespace) -> int:
    """Run the command; return 0, or 1 if a run failed."""
    from ..benchmarks.leaderboard import OpenGaitHost

    return cli.run(OpenGaitHost, args)
