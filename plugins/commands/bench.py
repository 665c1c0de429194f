"""Measure the modules over the formula written out."""

from __future__ import annotations

import argparse
from importlib import import_module

from ..benchmarks.speed.report import add_report_options, at_least, present
from ..common.arguments import Parser
from ..common.devices import add_device, usable
from ..errors import one_of


def add_arguments(parser: Parser) -> None:
    """What to measure, and how."""
    parser.add_argument("what", choices=("kprpe", "stra"), metavar="kprpe|stra", help="the module")
    parser.add_argument("--shapes", nargs="+", default=[], metavar="NAME", help="these only (default: all)")
    add_device(parser)
    add_report_options(parser)


def run(args: argparse.Namespace) -> None:
    """Measure and report."""
    at_least(repeats=(args.repeats, 1))
    benchmark = import_module(f"..benchmarks.speed.{args.what}", __package__)
    for name in args.shapes:
        one_of(name, benchmark.SHAPES, "--shapes")
    device = usable(args.device)
    results = benchmark.run(device, args.repeats, args.shapes or list(benchmark.SHAPES))
    present(results, benchmark.table(results), args.json, device=str(device), repeats=args.repeats)
