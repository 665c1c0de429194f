"""``python -m reid_ext``: torchreid's ``scripts/main.py`` with the StRA models, checked settings, safe checkpoints."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence

from plugins.common.cli import command, dispatch
from plugins.common.processes import plain_endings

COMMANDS = {
    **{name: f"reid_ext.commands.{name}" for name in ("demo", "export", "pictures")},
    **{name: f"reid_ext.benchmarks.{name}" for name in ("leaderboard", "walkers")},
}
BENCHMARKS = {name: f"reid_ext.benchmarks.speed.{name}" for name in ("networks", "ranking")}


def build_parser() -> argparse.ArgumentParser:
    """Return the parser: torchreid's own options."""
    parser = argparse.ArgumentParser(
        prog="reid-ext",
        description="Train or test a re-identification network with torchreid.",
        epilog="example: reid-ext --config-file configs/reid/resnet50_stra.yaml --root DATA train.batch_size 64",
    )
    parser.add_argument("--config-file", default="", metavar="YAML", help="a path, or a shipped configuration's name")
    parser.add_argument("-s", "--sources", nargs="+", default=[], metavar="NAME", help="data sets to train on")
    parser.add_argument("-t", "--targets", nargs="+", default=[], metavar="NAME", help="data sets to test on")
    parser.add_argument("--transforms", nargs="+", default=[], metavar="NAME", help="training augmentations")
    parser.add_argument("--root", default="", metavar="FOLDER", help="the folder that holds the data sets")
    parser.add_argument("opts", nargs=argparse.REMAINDER, metavar="key value", help="settings, after all options")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run a subcommand, or train or test; return the exit status: 0, 2 for the user's mistake, 130 for Ctrl-C."""
    argv = list(sys.argv[1:] if argv is None else argv)
    if argv[:1] == ["bench"] and (benchmark := dispatch(argv[1:], BENCHMARKS)):
        return benchmark(argv[2:])
    subcommand = dispatch(argv, COMMANDS)
    return subcommand(argv[1:]) if subcommand else train(argv)


@command("reid-ext", "start it again as before")
def train(argv: Sequence[str]) -> int:
    """Run with the arguments ``argv``; return the exit status: 0, 2 for the user's mistake, 130 for Ctrl-C."""
    args = build_parser().parse_args(argv)
    from .settings.load import load_config
    from .training.run import run  # imports torchreid, whose absence is a KpstraError

    cfg = load_config(args.config_file, args.opts, args.root, args.sources, args.targets, args.transforms)
    started = time.time()
    try:
        with plain_endings():
            run(cfg)
    except KeyboardInterrupt as ended:
        raise KeyboardInterrupt(_how_to_go_on(cfg.data.save_dir, started)) from ended
    return 0


def _how_to_go_on(save_dir: str, started: float) -> str:
    from .training.run import last_checkpoint

    path = last_checkpoint(save_dir, since=started)
    if path is None:
        return "no epoch was finished in this run; start it again as before"
    return f"to go on, give the same command with `model.resume {path}` added at its end"


if __name__ == "__main__":
    sys.exit(main())
