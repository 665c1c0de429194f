"""Compare forms of position encoding with their controls, over seeds, trainings and tests."""

from __future__ import annotations

import argparse
from pathlib import Path

from plugins.common.arguments import Parser
from plugins.common.budget import add_budget
from plugins.common.cli import GOES_ON

from ..host.options import add_host

INTERRUPTED = f"finished runs are kept; {GOES_ON}"


def add_arguments(parser: Parser) -> None:
    """The table, what is chosen of it, and the means."""
    from ..benchmarks.study import __doc__ as about

    parser.description = about
    parser.add_argument("--table", default="study_walkers", metavar="YAML", help="a path, or a shipped table's name")
    parser.add_argument(
        "--output",
        type=Path,
        default=Path("study"),
        metavar="FOLDER",
        help="runs, page and picture; a new folder, or one to go on with",
    )
    parser.add_argument(
        "--data", type=Path, default=Path("study-data"), metavar="FOLDER", help="walkers and tests, made where missing"
    )
    parser.add_argument(
        "--seeds", nargs="+", type=int, default=[0, 1, 2, 3, 4], metavar="N", help="one after the other"
    )
    for what in ("rows", "trainings", "tests"):
        parser.add_argument(f"--{what}", nargs="+", default=[], metavar="NAME", help=f"only these {what} of the table")
    add_budget(parser)
    parser.add_argument(
        "--workers",
        type=int,
        metavar="N",
        help="runs at a time (default: one a core, at most 12 on a GPU, which they share)",
    )
    parser.add_argument("--data-workers", type=int, metavar="N", help="processes that make data (default: one a core)")
    parser.add_argument(
        "--bfloat16", action="store_true", help="compute in bfloat16 where that is safe; weights stay float32"
    )
    parser.add_argument("--page", action="store_true", help="begin no run: write the page from those that are there")
    add_host(parser)


def run(args: argparse.Namespace) -> int:
    """Make the runs and write the page."""
    from ..benchmarks.study.conduct import conduct

    return conduct(args)
