"""Test checkpoints under growing misalignment."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path

from plugins.common.arguments import Parser
from plugins.common.files import atomic_write
from plugins.common.folders import claim
from plugins.errors import KpstraError

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
        help=f"of {', '.join(KINDS)} (default: the first four)",
    )
    parser.add_argument(
        "--severities", nargs="+", type=float, default=[0.25, 0.5, 0.75, 1.0], metavar="X", help="beside 0"
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
        "--metrics", nargs="+", default=[], metavar="NAME", help="in table and picture (default Rank-1 and mAP)"
    )
    add_host(parser)
    parser.add_overrides("data_cfg.dataset_root=DATA")


def run(args: argparse.Namespace) -> None:
    """Test what is not tested yet, then write table and picture."""
    from torch import distributed
    from tqdm import tqdm

    from plugins.common.memory import keep_freed_memory

    from ..benchmarks.robustness.disturb import Disturbance
    from ..benchmarks.robustness.store import Store, record
    from ..benchmarks.robustness.sweep import CheckpointRun, measure, numbered, open_run, points
    from ..training.restore import quiet
    from ..training.session import session

    runs = numbered([CheckpointRun.of(text) for text in args.runs])
    for error in args.errors:
        for severity in args.severities:
            Disturbance.of(error, severity, args.joint_noise, args.joint_dropout)
    if min(args.seeds) < 0:
        raise KpstraError(f"--seeds {min(args.seeds)}: expected whole numbers from 0")
    wanted = points(list(dict.fromkeys(args.errors)), args.severities, list(dict.fromkeys(args.seeds)))
    with session(args.host, args.device) as (host, device), quiet(host):
        if device == "cpu":
            keep_freed_memory()
        first = distributed.get_rank() == 0
        models = [open_run(host, device, one, args.overrides, args.probes_only) for one in runs]
        joints = {"joint_noise": args.joint_noise, "joint_dropout": args.joint_dropout}
        setting = {"host": host.kind, "probes_only": args.probes_only, **joints}
        with claim(args.output, setting, alone=True) if first else nullcontext():
            store = Store(args.output)
            for one, model in zip(runs, models, strict=True):
                store.claim(one.key, record(one, model.cfgs))
            todo = [[p for p in wanted if store.find(one.key, p) is None] for one in runs]
            steps = [len(p) * len(model.test_loader.dataset) for p, model in zip(todo, models, strict=True)]
            with tqdm(total=sum(steps), desc="Testing", unit="seq", disable=None if first else True) as bar:
                for one, model, left in zip(runs, models, todo, strict=True):
                    for point, metrics in measure(host, model, left, bar, **joints):
                        store.put(one.key, point, metrics)
            if first:
                write(args, runs, store.content["points"], wanted)


def write(args: argparse.Namespace, runs: Sequence, measured: Sequence[dict], wanted: Sequence) -> None:
    """Write ``robustness.md`` and ``robustness.png`` of the points asked for, and say where they are."""
    from ..benchmarks.robustness.plot import plot
    from ..benchmarks.robustness.report import chosen_metrics, curves, table

    asked = {(p.error, p.severity, p.seed) for p in wanted}
    names = {one.key: one.label for one in runs}
    labels = list(dict.fromkeys(names.values()))
    measured = [
        {**p, "run": names[p["run"]]}
        for p in measured
        if p["run"] in names and (p["error"], p["severity"], p["seed"]) in asked
    ]
    metrics = chosen_metrics(measured, args.metrics)
    found = curves(measured, labels, list(dict.fromkeys(args.errors)))
    about = f"{'probes' if args.probes_only else 'probes and gallery'} misaligned; severity: standard deviation"
    if args.joint_noise or args.joint_dropout:
        about += f"; joints with {args.joint_noise:g} noise and {args.joint_dropout:g} drop-out at severity 1"
    draws, trainings = len(set(args.seeds)), sorted({list(names.values()).count(label) for label in labels})
    about += f"; {draws} draw{'s' if draws > 1 else ''}, {' to '.join(map(str, trainings))} trained for each line"
    about += ", band: ± standard deviation" if max(draws, *trainings) > 1 else ""
    text = table(found, metrics)
    with atomic_write(args.output / "robustness.md", "w") as stream:
        stream.write(f"{text}\n\n{about[0].upper()}{about[1:]}.\n")
    plot(found, metrics, args.output / "robustness.png", about)
    print(text)
    for name in ("robustness.json", "robustness.md", "robustness.png"):
        print(args.output / name)
