"""Measure what preparing, loading and the networks cost."""

from __future__ import annotations

import argparse
from functools import partial
from importlib import import_module
from pathlib import Path

from plugins.benchmarks.gpu.tables import add_gpu_options, run_tables
from plugins.benchmarks.speed.report import add_report_options, at_least, present, writable
from plugins.common.arguments import Parser
from plugins.common.budget import Budget

from ..data import SHIPPED
from ..host.options import add_host


def add_arguments(parser: Parser) -> None:
    """One benchmark a word."""
    commands = parser.add_subparsers(dest="what", required=True, metavar="WHAT")

    prepare = commands.add_parser("prepare", help="frames per second over OpenGait's pretreatment")
    add_host(prepare, device=False)
    prepare.add_argument("--raw", default=SHIPPED, metavar="FOLDER", help="holds 2D_Silhouettes and 2D_Poses")
    add_report_options(prepare, 15)

    scaling = commands.add_parser("scaling", help="cost against sequence length and batch")
    scaling.add_argument(
        "--sizes",
        nargs="+",
        default=["small", "full"],
        metavar="NAME",
        help="sizes of the network: small, or full (the paper's)",
    )
    scaling.add_argument(
        "--lengths", nargs="+", type=int, default=[5, 15, 30, 60], metavar="S", help="frames of a sequence"
    )
    scaling.add_argument(
        "--batches", nargs="+", type=int, default=[2, 4, 6, 8], metavar="N", help="sequences in a batch, from 2"
    )
    scaling.add_argument(
        "--allocator",
        default="kept",
        choices=("kept", "system"),
        help="keep freed memory, as runs on a CPU do, or let the C library return it",
    )
    scaling.add_argument("--plot", type=writable, metavar="FILE.png", help="also draw the curves there")
    add_report_options(scaling)

    swingait = commands.add_parser("swingait", help="what KP-RPE adds; our transformer over OpenGait's")
    add_host(swingait, device=False)
    swingait.add_argument(
        "--size", default="full", metavar="small|full", help="size of the network; full is the paper's"
    )
    add_report_options(swingait)

    load = commands.add_parser("load", help="prepare and the loaders with as many sequences as Gait3D")
    load.add_argument("--sequences", type=int, default=25000, metavar="N", help="sequences to make and read")
    load.add_argument("--workers", type=int, default=1, metavar="N", help="processes of prepare, and of each loader")
    add_host(load, device=False)
    load.add_argument("--scratch", type=Path, metavar="FOLDER", help="for 90 kB a sequence (default: temporary files)")
    add_report_options(load, repeats=None)
    load.set_defaults(repeats=1)

    waits = commands.add_parser("input", help="what training waits for its batches, OpenGait's way and ours")
    add_host(waits, device=False)
    waits.add_argument("--workers", type=int, default=2, metavar="N", help="processes of the loader")
    waits.add_argument(
        "--step", type=float, default=1.0, metavar="S", help="seconds that a step lasts on a device; they are slept"
    )
    add_report_options(waits)

    gpu = commands.add_parser("gpu", help="SwinGait-2D's images per second and memory on a GPU, and a short training")
    add_host(gpu, device=False)
    add_gpu_options(gpu)


def run(args: argparse.Namespace) -> None:
    """Measure and report."""
    if args.what == "gpu":
        from ..benchmarks.speed import gpu
        from ..benchmarks.study import short

        budget = Budget(args.budget)
        walkers = partial(short.parts, folder=args.folder, host=args.host, budget=budget)
        return run_tables(args, {"swingait": partial(gpu.parts, host=args.host), "walkers": walkers}, budget)
    import cv2

    at_least(repeats=(args.repeats, 1))
    benchmark = import_module(f"..benchmarks.speed.{args.what}", __package__)
    if args.what == "prepare":
        results = benchmark.run(args.host, args.raw, args.repeats)
    elif args.what == "scaling":
        results = benchmark.run(args.sizes, args.lengths, args.batches, args.repeats, args.allocator)
    elif args.what == "input":
        at_least(workers=(args.workers, 1), step=(args.step, 0))
        results = benchmark.run(args.host, args.workers, args.repeats, args.step)
    elif args.what == "swingait":
        results = benchmark.run(args.host, args.size, args.repeats)
    else:
        results = benchmark.run(args.sequences, args.workers, args.host, args.scratch)
    present(results, benchmark.table(results), args.json, opencv=cv2.__version__, repeats=args.repeats)
    if args.what == "scaling" and args.plot:
        from ..benchmarks.speed.plot import plot

        plot(results, args.plot)
        print(f"plot: {args.plot}")
