"""``python -m opengait_ext``: OpenGait's ``main.py`` with our models, any host folder, and CPU or CUDA."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from plugins.common.cli import command, dispatch

COMMANDS = {
    **{
        name: f"opengait_ext.commands.{name}"
        for name in ("bench", "demo", "doctor", "export", "prepare", "robustness", "walkers")
    },
    "leaderboard": "opengait_ext.benchmarks.leaderboard",
    "prepare-pickles": "opengait_ext.data.prepare.pickles",
}

HOW_TO_GO_ON = (
    "to go on from the last checkpoint, give the same command with --iter and its iteration "
    "(output/<dataset>/<model>/<save_name>/checkpoints)"
)


def build_parser() -> argparse.ArgumentParser:
    """Return the parser: OpenGait's own options and ours."""
    parser = argparse.ArgumentParser(
        prog="opengait-ext",
        description="Train or test a gait model with OpenGait. `opengait-ext setup` clones the OpenGait that this was "
        "tested with.",
        epilog="example: torchrun --nproc_per_node 4 -m opengait_ext --cfgs opengait/swingait2d_kprpe_gait3d "
        "--phase train data_cfg.dataset_root=DATA",
    )
    parser.add_argument("--cfgs", required=True, metavar="YAML", help="a path, or a shipped configuration's name")
    parser.add_argument("--phase", default="train", choices=("train", "test"))
    parser.add_argument("--iter", type=int, default=0, metavar="N", help="resume or test the checkpoint of iteration N")
    parser.add_argument("--log_to_file", action="store_true", help="also log to output/.../logs")
    parser.add_argument(
        "--host",
        default="auto",
        metavar="auto|opengait|embedded|PATH",
        help="whose training loop, data and evaluation: a checkout of OpenGait, or the stand-in that "
        "is part of this package; auto prefers a checkout: OPENGAIT_HOME, or setup's",
    )
    parser.add_argument("--device", default="auto", choices=("auto", "cpu", "cuda"))
    parser.add_argument("--workdir", default=".", metavar="FOLDER", help="output/ goes here")
    parser.add_argument("--local_rank", "--local-rank", type=int, default=0, help=argparse.SUPPRESS)
    parser.add_argument("overrides", nargs="*", metavar="key=value", help="such as trainer_cfg.total_iter=100")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run a subcommand, or train or test; return the exit status: 0, 2 for the user's mistake, 130 for Ctrl-C."""
    argv = list(sys.argv[1:] if argv is None else argv)
    subcommand = dispatch(argv, COMMANDS)
    return subcommand(argv[1:]) if subcommand else train(argv)


@command("opengait-ext", HOW_TO_GO_ON)
def train(argv: Sequence[str]) -> int:
    """Run with the arguments ``argv``; return the exit status: 0, 2 for the user's mistake, 130 for Ctrl-C."""
    if argv[:1] == ["setup"]:
        return setup(argv[1:])
    args = build_parser().parse_intermixed_args(argv)
    from .training.launch import Run, launch

    launch(
        Run(args.cfgs, args.phase, args.iter, args.log_to_file, args.host, args.device, args.workdir, args.overrides)
    )
    return 0


def setup(argv: Sequence[str]) -> int:
    """Clone the pinned OpenGait into the cache folder."""
    argparse.ArgumentParser(prog="opengait-ext setup", description=setup.__doc__).parse_args(argv)
    from .host.find import clone

    print(f"OpenGait is in {clone()}; `--host auto` finds it there")
    return 0


if __name__ == "__main__":
    sys.exit(main())
