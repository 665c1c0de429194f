"""Train and test the toy of the KP-RPE paper, on digits.

A shallow ViT is trained with each position encoding and several seeds, and tested on digits placed as in training and
otherwise. Given again, the command goes on with what is not finished.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

from ..common.arguments import Parser
from ..common.devices import add_device, usable
from ..errors import KpstraError, one_of

INTERRUPTED = "the same command goes on with what is not finished"


def add_arguments(parser: Parser) -> None:
    """Digits, variants, seeds."""
    digits = parser.add_mutually_exclusive_group()
    digits.add_argument(
        "--mnist", type=Path, metavar="ROOT", help="MNIST as torchvision keeps it (default: scikit-learn's digits)"
    )
    digits.add_argument("--npz", type=Path, metavar="FILE", help="images (N, 28, 28) uint8 and labels (N,)")
    parser.add_argument("--output", type=Path, default="toy_results", metavar="FOLDER", help="runs and report go there")
    parser.add_argument("--variants", nargs="+", default=[], metavar="NAME", help="position encodings (default: all)")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2], metavar="N", help="one run of each for each")
    parser.add_argument("--steps", type=int, default=400, metavar="N", help="of each training, 32 digits a step")
    add_device(parser)


def run(args: argparse.Namespace) -> None:
    """Make the runs that are missing and report on all of the folder."""
    from ..benchmarks.toy.digits import from_mnist, from_npz, from_sklearn
    from ..benchmarks.toy.report import write_report
    from ..benchmarks.toy.runs import make_all, make_runs
    from ..benchmarks.toy.variants import VARIANTS
    from ..common.memory import keep_freed_memory

    for variant in args.variants:
        one_of(variant, VARIANTS, "--variants")
    if args.steps < 2:
        raise KpstraError(f"--steps: {args.steps}: expected 2 or more")
    if min(args.seeds) < 0:
        raise KpstraError(f"--seeds: {min(args.seeds)}: expected 0 or more")
    began, seconds = time.monotonic(), time.process_time()
    source = from_mnist(args.mnist) if args.mnist else from_npz(args.npz) if args.npz else from_sklearn()
    device = usable(args.device)
    if device.type == "cpu":
        keep_freed_memory()
    made = make_all(make_runs(args.variants or VARIANTS, args.seeds), source, args.steps, args.output, device)
    print(write_report(args.output))
    print(f"\n{made} runs in {time.monotonic() - began:.0f} s, {time.process_time() - seconds:.0f} s of processor time")
    print(f"{args.output}: report.md, toy.png; curves: tensorboard --logdir {args.output / 'tensorboard'}")
