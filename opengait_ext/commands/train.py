"""Train or test a gait model with OpenGait, as its main.py does.

Without the word `train` the same options work: `python -m opengait_ext --cfgs YAML --phase train`. On four GPUs:

    opengait-ext --processes 4 --cfgs opengait/swingait2d_kprpe_gait3d data_cfg.dataset_root=DATA

or, as OpenGait's users type it, `torchrun --nproc_per_node 4 -m opengait_ext --cfgs ...`.
"""

from __future__ import annotations

import argparse
import os

from plugins.common.arguments import Parser
from plugins.common.ranks import run_processes
from plugins.errors import KpstraError

from ..host.options import add_host

INTERRUPTED = (
    "to go on from the last checkpoint (output/<dataset>/<model>/<save_name>/checkpoints), give the same command "
    "with --resume"
)


def add_arguments(parser: Parser) -> None:
    """OpenGait's own options and ours."""
    parser.add_argument("--cfgs", required=True, metavar="YAML", help="a path, or a shipped configuration's name")
    parser.add_argument("--phase", default="train", choices=("train", "test"), help="train, or test a checkpoint")
    parser.add_argument("--iter", type=int, default=0, metavar="N", help="resume or test the checkpoint of iteration N")
    parser.add_argument("--resume", action="store_true", help="go on from the last whole checkpoint, if there is one")
    parser.add_argument(
        "--bfloat16",
        action="store_true",
        help="compute in bfloat16 where that is safe, weights stay float32; also on a CPU "
        "(enable_bfloat16: true of trainer_cfg and evaluator_cfg)",
    )
    parser.add_argument("--log_to_file", action="store_true", help="also log to output/.../logs")
    add_host(parser)
    parser.add_argument(
        "--processes", type=int, default=1, metavar="N", help="one for each GPU, as torchrun starts them"
    )
    parser.add_argument("--workdir", default=".", metavar="FOLDER", help="the folder in which output/ is made")
    parser.add_argument("--local_rank", "--local-rank", type=int, default=0, help=argparse.SUPPRESS)
    parser.add_overrides("trainer_cfg.total_iter=100")


def run(args: argparse.Namespace) -> int:
    """Run the host's loop, in this process or in several."""
    if args.processes < 1:
        raise KpstraError(f"--processes {args.processes}: expected a whole number from 1")
    if args.iter < 0:
        raise KpstraError(f"--iter {args.iter}: expected a checkpoint's iteration, from 1")
    if args.processes > 1 and "RANK" not in os.environ:
        return run_processes(args.processes, ["-m", "opengait_ext", *_words(args)])
    from ..training.launch import Run, launch

    options = args.host, args.device, args.workdir, args.overrides, args.resume, args.bfloat16
    launch(Run(args.cfgs, args.phase, args.iter, args.log_to_file, *options))
    return 0


def _words(args: argparse.Namespace) -> list[str]:
    """Return the command line of one of several processes."""
    options = ("cfgs", "phase", "iter", "host", "device", "workdir")
    flags = [f"--{name}" for name in ("resume", "bfloat16", "log_to_file") if getattr(args, name)]
    return [*(word for name in options for word in (f"--{name}", str(getattr(args, name)))), *flags, *args.overrides]
