"""Train or test a network with torchreid, as its main.py does.

Without the word `train` the same options work:

    python -m reid_ext --config-file configs/reid/resnet50_stra.yaml --root DATA train.batch_size 64
"""

from __future__ import annotations

import argparse
import time

from plugins.common.arguments import Parser
from plugins.common.processes import plain_endings

from ..settings.options import add_settings, opts

INTERRUPTED = "start it again as before"


def add_arguments(parser: Parser) -> None:
    """torchreid's own options."""
    parser.add_argument("--config-file", default="", metavar="YAML", help="a path, or a shipped configuration's name")
    parser.add_argument("--resume", action="store_true", help="go on from the latest whole checkpoint in data.save_dir")
    add_settings(parser)


def run(args: argparse.Namespace) -> None:
    """Run the host's engine."""
    from ..settings.load import load_config
    from ..training.run import run as run_engine  # imports torchreid, whose absence is a KpstraError

    cfg = load_config(args.config_file, opts(args.overrides), args.root, args.sources, args.targets, args.transforms)
    started = time.time()
    try:
        with plain_endings():
            run_engine(cfg, args.resume)
    except KeyboardInterrupt as ended:
        raise KeyboardInterrupt(_how_to_go_on(cfg.data.save_dir, started)) from ended


def _how_to_go_on(save_dir: str, started: float) -> str:
    from ..training.folder import last_checkpoint

    path = last_checkpoint(save_dir, since=started)
    if path is None:
        return "no epoch was finished in this run; start it again as before"
    return f"to go on, give the same command with `model.resume {path}` added at its end"
