"""Measure the modules over the formula written out."""

from __future__ import annotations

import argparse
from importlib import import_module

from ..benchmarks.gpu.tables import add_gpu_options, run_tables
from ..benchmarks.speed.report import add_report_options, at_least, present
from ..common.arguments import Parser
from ..common.devices import add_device, usable
from ..errors import one_of


def add_arguments(parser: Parser) -> None:
    """What to measure, and how."""
    commands = parser.add_subparsers(dest="what", required=True, metavar="WHAT")
    for name, about in (("kprpe", "KP-RPE over no bias and over the formula"), ("stra", "StRA over the formula")):
        module = commands.add_parser(name, help=about)
        module.add_argument("--shapes", nargs="+", default=[], metavar="NAME", help="these only (default: all)")
        add_device(module)
        add_report_options(module)
    add_gpu_options(commands.add_parser("gpu", help="images per second and memory on a GPU, onto one page"))


def run(args: argparse.Namespace) -> None:
    """Measure and report."""
    if args.what == "gpu":
        from ..benchmarks.gpu import attention, transformers

        return run_tables(args, {"transformers": transformers.parts, "attention": attention.parts})
    at_least(repeats=(args.repeats, 1))
    benchmark = import_module(f"..benchmarks.speed.{args.what}", __package__)
    for name in args.shapes:
        one_of(name, benchmark.SHAPES, "--shapes")
    device = usable(args.device)
    results = benchmark.run(device, args.repeats, args.shapes or list(benchmark.SHAPES))
    present(results, benchmark.table(results), args.json, device=str(device), repeats=args.repeats)
