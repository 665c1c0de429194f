"""``python -m plugins toy``: the paper's toy on a CPU, every position encoding with several seeds."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import torch

from ...common.cli import command
from ...common.memory import keep_freed_memory
from ...errors import KpstraError, one_of
from .digits import from_mnist, from_npz, from_sklearn
from .network import VARIANTS
from .report import write_report
from .runs import make_all, make_runs

PROGRAM = "python -m plugins toy"


def build_parser() -> argparse.ArgumentParser:
    """Return the parser."""
    parser = argparse.ArgumentParser(
        prog=PROGRAM,
        description="Train a shallow ViT with each position encoding, and test it on digits placed as in training and "
        "otherwise. Given again, the command goes on with what is not finished.",
    )
    digits = parser.add_mutually_exclusive_group()
    digits.add_argument(
        "--mnist", type=Path, metavar="ROOT", help="MNIST as torchvision keeps it; nothing is downloaded"
    )
    digits.add_argument("--npz", type=Path, metavar="FILE", help="images (N, 28, 28) uint8 and labels (N,)")
    parser.add_argument(
        "--output", type=Path, default=Path("toy_results"), metavar="FOLDER", help="default toy_results"
    )
    parser.add_argument(
        "--variants", nargs="+", default=list(VARIANTS), metavar="NAME", help=f"default all: {', '.join(VARIANTS)}"
    )
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2], metavar="N", help="default 0 1 2")
    parser.add_argument(
        "--steps", type=int, default=400, metavar="N", help="of each training, 32 digits a step (default 400)"
    )
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    return parser


@command(PROGRAM, "the same command goes on with what is not finished")
def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; return 0, 2 for the user's mistake, 130 for Ctrl-C."""
    args = build_parser().parse_args(argv)
    for variant in args.variants:
        one_of(variant, VARIANTS, "--variants")
    if args.steps < 2:
        raise KpstraError(f"--steps: {args.steps}: expected 2 or more")
    if min(args.seeds) < 0:
        raise KpstraError(f"--seeds: {min(args.seeds)}: expected 0 or more")
    compare(args)
    return 0


def usable(name: str) -> torch.device:
    """Return the device of this name.

    Raises:
        KpstraError: torch cannot use it.
    """
    try:
        return torch.empty(0, device=name).device
    except (RuntimeError, AssertionError) as error:
        raise KpstraError(f"--device: {name!r}: {str(error).splitlines()[0]}") from error


def compare(args: argparse.Namespace) -> None:
    """Make the runs that are missing and report on all of the folder."""
    began, seconds = time.monotonic(), time.process_time()
    source = from_mnist(args.mnist) if args.mnist else from_npz(args.npz) if args.npz else from_sklearn()
    device = usable(args.device)
    if device.type == "cpu":
        keep_freed_memory()
    made = make_all(make_runs(args.variants, args.seeds), source, args.steps, args.output, device)
    print(write_report(args.output))
    print(f"\n{made} runs in {time.monotonic() - began:.0f} s, {time.process_time() - seconds:.0f} s of processor time")
    print(f"{args.output}: report.md, toy.png; curves: tensorboard --logdir {args.output / 'tensorboard'}")


if __name__ == "__main__":
    sys.exit(main())
