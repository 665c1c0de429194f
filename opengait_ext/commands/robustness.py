"""Test checkpoints under growing misalignment."""

from __future__ import annotations

import argparse

from plugins.benchmarks.robustness import cli
from plugins.common.arguments import Parser

from ..host.options import add_host

INTERRUPTED = cli.INTERRUPTED


def add_arguments(parser: Parser) -> None:
    """Checkpoints, errors and their sizes."""
    from ..benchmarks.robustness import WORDS
    from ..benchmarks.robustness import __doc__ as about

    parser.description = about
    cli.add_arguments(parser, WORDS)
    add_host(parser)
    parser.add_overrides("data_cfg.dataset_root=DATA")


def run(args: argparse.Namespace) -> None:
    """Test what is not tested yet, then write table and picture."""
    from ..benchmarks.robustness.evaluate import evaluate

    evaluate(args)
