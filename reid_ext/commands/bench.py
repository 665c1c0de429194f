"""Measure what the networks and ranking cost."""

from __future__ import annotations

import argparse

from plugins.benchmarks.gpu.tables import add_gpu_options, run_tables
from plugins.benchmarks.speed.report import add_report_options, at_least, present
from plugins.common.arguments import Parser
from plugins.common.devices import add_device, usable


def add_arguments(parser: Parser) -> None:
    """One benchmark a word."""
    commands = parser.add_subparsers(dest="what", required=True, metavar="WHAT")

    networks = commands.add_parser("networks", help="StRA in ResNet50 over the 3x3 convolutions it replaces")
    networks.add_argument("--batch", type=int, default=16, metavar="N", help="images, 2 or more")
    networks.add_argument(
        "--size", type=int, nargs=2, default=(256, 128), metavar=("HEIGHT", "WIDTH"), help="size of the images"
    )
    add_device(networks)
    add_report_options(networks)

    layouts = commands.add_parser("layouts", help="networks on a CPU, images channels last in memory or not")
    layouts.add_argument("--networks", nargs="+", metavar="NAME", help="of torchreid's factory; by default five")
    layouts.add_argument("--batches", type=int, nargs="+", default=(1, 16, 32, 100), metavar="N", help="images")
    layouts.add_argument(
        "--size", type=int, nargs=2, default=(256, 128), metavar=("HEIGHT", "WIDTH"), help="size of the images"
    )
    layouts.add_argument("--train", action="store_true", help="train steps in place of evaluation forwards")
    layouts.add_argument(
        "--limit", type=float, default=60.0, metavar="SECONDS", help="of rounds, for a network and batch size"
    )
    add_report_options(layouts)

    faces = commands.add_parser("faces", help="KP-RPE and its landmark detector in the ViT for faces (Table 3)")
    faces.add_argument(
        "--network", choices=("tiny", "small", "base"), default="small", help="of the paper, but for tiny"
    )
    faces.add_argument("--batch", type=int, default=16, metavar="N", help="images, 2 or more")
    add_device(faces)
    add_report_options(faces, repeats=3)

    ranking = commands.add_parser("ranking", help="ranking in an evaluation of Market1501's size, the host's and ours")
    ranking.add_argument("--queries", type=int, default=421, metavar="N", help="queries to time, of 3368")
    ranking.add_argument("--gallery", type=int, default=15913, metavar="N", help="images")
    add_report_options(ranking)

    add_gpu_options(commands.add_parser("gpu", help="images per second and memory on a GPU, onto one page"))


def run(args: argparse.Namespace) -> None:
    """Measure and report."""
    if args.what == "gpu":
        from ..benchmarks.speed import gpu

        return run_tables(args, {"networks": gpu.parts})
    from ..benchmarks.speed import faces, layouts, networks, ranking

    if args.what == "networks":
        at_least(batch=(args.batch, 2), size=(min(args.size), 32), repeats=(args.repeats, 1))
        device = usable(args.device)
        results = networks.run(device, args.repeats, args.batch, tuple(args.size))
        table, setting = networks.table(results), {"device": str(device), **results["shape"]}
    elif args.what == "layouts":
        at_least(batches=(min(args.batches), 1 + args.train), size=(min(args.size), 32), repeats=(args.repeats, 1))
        phase = layouts.PHASES[args.train]
        names = args.networks or layouts.NETWORKS
        results = layouts.run(names, args.batches, tuple(args.size), phase, args.repeats, args.limit)
        table, setting = layouts.table(results), {"device": "cpu", "phase": phase, "image": list(args.size)}
    elif args.what == "faces":
        at_least(batch=(args.batch, 2), repeats=(args.repeats, 1))
        device = usable(args.device)
        results = faces.run(device, args.repeats, args.batch, args.network)
        table, setting = faces.table(results), {"device": str(device), "batch": args.batch}
    else:
        at_least(queries=(args.queries, 1), gallery=(args.gallery, 1000), repeats=(args.repeats, 1))
        results = ranking.run(args.repeats, args.queries, args.gallery)
        table, setting = ranking.table(results), {"queries timed": args.queries}
    present(results, table, args.json, repeats=args.repeats, **setting)
