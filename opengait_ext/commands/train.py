"""Train or test a gait model with OpenGait, as its main.py does.

Without the word `train` the same options work: `python -m opengait_ext --cfgs YAML --phase train`. On several GPUs:

    torchrun --nproc_per_node 4 -m opengait_ext --cfgs opengait/swingait2d_kprpe_gait3d data_cfg.dataset_root=DATA
"""

from __future__ import annotations

import argparse

from plugins.common.arguments import Parser

from ..host.options import add_host

INTERRUPTED = (
    "to go on from the last checkpoint (output/<dataset>/<model>/<save_name>/checkpoints), give the same command "
    "with --resume"
)


def add_arguments(parser: Parser) -> None:
    """OpenGait's own options and ours."""
    parser.add_argument("--cfgs", required=True, metavar="YAML", help="a path, or a shipped configuration's name")
    parser.add_argument("--phase", default="train", choices=("train", "test"), help="what to do")
    parser.add_argument("--iter", type=int, default=0, metavar="N", help="resume or test the checkpoint of iteration N")
    parser.add_argument("--resume", action="store_true", help="go on from the last whole checkpoint, if there is one")
    parser.add_argument("--log_to_file", action="store_true", help="also log to output/.../logs")
    add_host(parser)
    parser.add_argument("--workdir", default=".", metavar="FOLDER", help="output/ goes here")
    parser.add_argument("--local_rank", "--local-rank", type=int, default=0, help=argparse.SUPPRESS)
    parser.add_overrides("trainer_cfg.total_iter=100")


def run(args: argparse.Namespace) -> None:
    """Run the host's loop."""
    from ..training.launch import Run, launch

    options = args.host, args.device, args.workdir, args.overrides, args.resume
    launch(Run(args.cfgs, args.phase, args.iter, args.log_to_file, *options))
