"""``opengait-ext bench prepare|scaling|swingait|load``: measure, print a table, write JSON."""

from __future__ import annotations

import argparse
import json
import platform
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from plugins.common.cli import command
from plugins.common.files import atomic_write
from plugins.errors import KpstraError


def build_parser() -> argparse.ArgumentParser:
    """Return the parser."""
    parser = argparse.ArgumentParser(prog="opengait-ext bench", description=__doc__)
    commands = parser.add_subparsers(dest="what", required=True)
    shared = argparse.ArgumentParser(add_help=False)
    shared.add_argument("--json", type=Path, metavar="FILE", help="also write everything measured there")

    prepare = commands.add_parser("prepare", parents=[shared], help="frames per second over OpenGait's pretreatment")
    prepare.add_argument("--host", default="auto", metavar="auto|opengait|PATH", help="checkout of OpenGait to compare")
    prepare.add_argument(
        "--raw", default="tests/data/pets-mini/gait_raw", metavar="FOLDER", help="holds 2D_Silhouettes and 2D_Poses"
    )
    prepare.add_argument("--repeats", type=int, default=15, help="counted rounds")

    scaling = commands.add_parser("scaling", parents=[shared], help="cost against sequence length and batch")
    scaling.add_argument(
        "--sizes", nargs="+", default=["small", "full"], metavar="NAME", help="small, full: the paper's"
    )
    scaling.add_argument("--lengths", nargs="+", type=int, default=[5, 15, 30, 60], metavar="S", help="frames")
    scaling.add_argument("--batches", nargs="+", type=int, default=[2, 4, 6, 8], metavar="N", help="sequences, from 2")
    scaling.add_argument(
        "--allocator",
        default="kept",
        choices=["kept", "system"],
        help="keep freed memory, as runs on a CPU do, or let the C library return it",
    )
    scaling.add_argument("--repeats", type=int, default=7, help="counted rounds")
    scaling.add_argument("--plot", type=Path, metavar="FILE.png")

    swingait = commands.add_parser("swingait", parents=[shared], help="what KP-RPE adds; our transformer")
    swingait.add_argument("--host", default="auto", metavar="auto|opengait|embedded|PATH")
    swingait.add_argument("--size", default="full", metavar="small|full", help="full: the paper's")
    swingait.add_argument("--repeats", type=int, default=7, help="counted rounds")

    load = commands.add_parser("load", parents=[shared], help="prepare and the loaders at Gait3D's size")
    load.add_argument("--sequences", type=int, default=25000, metavar="N")
    load.add_argument("--workers", type=int, default=1, metavar="N", help="processes of prepare, and of each loader")
    load.add_argument("--host", default="auto", metavar="auto|opengait|embedded|PATH")
    load.add_argument("--scratch", type=Path, metavar="FOLDER", help="for 90 kB a sequence (default: temporary files')")
    load.set_defaults(repeats=1)
    return parser


@command("opengait-ext bench")
def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; return 0, or 2 for the user's mistake."""
    args = build_parser().parse_args(argv)
    if args.repeats < 1:
        raise KpstraError(f"--repeats: {args.repeats}: expected 1 or more")
    results, text = COMMANDS[args.what](args)
    setting = _setting(args.repeats)
    print(text)
    print(", ".join(f"{key} {value}" for key, value in setting.items()))
    if args.json:
        with atomic_write(args.json, "w") as stream:
            json.dump({"setting": setting, "results": results}, stream, indent=1)
        print(f"JSON: {args.json}")
    return 0


def _prepare(args: argparse.Namespace) -> tuple[dict[str, Any], str]:
    from ..benchmarks.speed import prepare

    results = prepare.run(args.host, args.raw, args.repeats)
    return results, prepare.table(results)


def _scaling(args: argparse.Namespace) -> tuple[dict[str, Any], str]:
    from ..benchmarks.speed import scaling

    results = scaling.run(args.sizes, args.lengths, args.batches, args.repeats, args.allocator)
    if args.plot:
        from ..benchmarks.speed.plot import plot

        plot(results, args.plot)
        print(f"plot: {args.plot}")
    return results, scaling.table(results)


def _swingait(args: argparse.Namespace) -> tuple[dict[str, Any], str]:
    from ..benchmarks.speed import swingait

    results = swingait.run(args.host, args.size, args.repeats)
    return results, swingait.table(results)


def _load(args: argparse.Namespace) -> tuple[dict[str, Any], str]:
    from ..benchmarks.speed import load

    results = load.run(args.sequences, args.workers, args.host, args.scratch)
    return results, load.table(results)


COMMANDS = {"prepare": _prepare, "scaling": _scaling, "swingait": _swingait, "load": _load}


def _setting(repeats: int) -> dict[str, Any]:
    import cv2
    import numpy as np
    import torch

    return {
        "torch": torch.__version__,
        "threads": torch.get_num_threads(),
        "numpy": np.__version__,
        "opencv": cv2.__version__,
        "machine": platform.machine(),
        "repeats": repeats,
    }


if __name__ == "__main__":
    sys.exit(main())
