"""Test checkpoints under growing misalignment."""

from __future__ import annotations

import argparse

from plugins.benchmarks.robustness import cli
from plugins.common.arguments import Parser

from ..settings.options import UNDOTTED

INTERRUPTED = cli.INTERRUPTED


def add_arguments(parser: Parser) -> None:
    """Checkpoints, errors and their sizes, and where the data are."""
    from ..benchmarks.robustness import WORDS
    from ..benchmarks.robustness import __doc__ as about

    parser.description = about
    cli.add_arguments(parser, WORDS)
    parser.add_argument("--root", default="", metavar="FOLDER", help="the folder that holds the data sets")
    parser.add_overrides("data.keypoints=market.npz", UNDOTTED)


def run(args: argparse.Namespace) -> None:
    """Test what is not tested yet, then write table and picture."""
    from ..benchmarks.robustness.evaluate import evaluate

    evaluate(args)
