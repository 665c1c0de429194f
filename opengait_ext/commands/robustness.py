"""Test checkpoints under growing misalignment."""

from __future__ import annotations

import argparse
from pathlib import Path

from plugins.common.arguments import Parser

from ..host.options import add_host

INTERRUPTED = "the same command goes on after the last point"


def add_arguments(parser: Parser) -> None:
    """Checkpoints, errors and their sizes."""
    from ..benchmarks.robustness import __doc__ as about
    from ..benchmarks.robustness.disturb import KINDS

    parser.description = about
    parser.add_argument(
        "--checkpoint",
        action="append",
        required=True,
        metavar="NAME=CONFIG:FILE",
        dest="runs",
        help="a checkpoint, its configuration, and what to call it; may be given several times: "
        "checkpoints of one name are trainings with several seeds, shown as their mean and spread",
    )
    parser.add_argument(
        "--output",
        type=Path,
        default=Path("robustness"),
        metavar="FOLDER",
        help="robustness.json, .md and .png go here; given again, finished points are skipped",
    )
    parser.add_argument(
        "--errors",
        nargs="+",
        default=["translation", "scale", "rotation", "crop"],
        metavar="KIND",
        help=f"kinds of error, of {', '.join(KINDS)} (default: the first four)",
    )
    parser.add_argument(
        "--severities", nargs="+", type=float, default=[0.25, 0.5, 0.75, 1.0], metavar="X", help="severities beside 0"
    )
    parser.add_argument(
        "--seeds", nargs="+", type=int, default=[0], metavar="N", help="one draw of all errors for each"
    )
    parser.add_argument(
        "--joint-noise",
        type=float,
        default=0.0,
        metavar="X",
        help="also with errors of the box: standard deviation of the joints at severity 1, as a share "
        "of the frame's height",
    )
    parser.add_argument(
        "--joint-dropout",
        type=float,
        default=0.0,
        metavar="X",
        help="likewise: share of the frames in which a joint is missing at severity 1",
    )
    parser.add_argument("--probes-only", action="store_true", help="leave the gallery as it is")
    parser.add_argument(
        "--metrics", nargs="+", default=[], metavar="NAME", help="metrics in table and picture (default Rank-1 and mAP)"
    )
    add_host(parser)
    parser.add_overrides("data_cfg.dataset_root=DATA")


def run(args: argparse.Namespace) -> None:
    """Test what is not tested yet, then write table and picture."""
    from ..benchmarks.robustness.evaluate import evaluate

    evaluate(args)
