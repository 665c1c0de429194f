"""Export a trained model as ONNX: silhouettes to embeddings.

Inputs: ``silhouettes`` (batch, frames, H, W) in [0, 1], as the network sees them (64 x 44 after the usual cut; other
sizes with ``--size``), and for models with KP-RPE ``keypoints`` (batch, frames, 17, 3): x, y in pixels of these
silhouettes, and score. Output: ``embeddings`` (batch, channels, parts), which the host's evaluation compares. The batch
is free, and so are the frames unless ``--frames`` fixes them, which networks with windows over time need.
"""

from __future__ import annotations

import argparse

from plugins.common.arguments import Parser

from ..host.options import add_host

INTERRUPTED = "nothing was written"


def add_arguments(parser: Parser) -> None:
    """The model and the file."""
    parser.add_argument("--cfgs", required=True, metavar="CONFIG", help="a path, or a shipped configuration")
    parser.add_argument(
        "--checkpoint",
        required=True,
        metavar="FILE",
        help="a checkpoint of the model, written by OpenGait or by kpstra",
    )
    parser.add_argument("--output", required=True, metavar="FILE.onnx", help="the file to write")
    add_host(parser, "embedded", device=False)
    parser.add_argument("--frames", type=int, metavar="N", help="fixed number of frames (default: any number)")
    parser.add_argument(
        "--size",
        type=int,
        nargs=2,
        default=(64, 44),
        metavar=("HEIGHT", "WIDTH"),
        help="of the silhouettes after the cut, in pixels (default: 64 44)",
    )
    parser.add_overrides("model_cfg.SeparateBNNecks.class_num=100")


def run(args: argparse.Namespace) -> None:
    """Write the file and say how equal it is."""
    from ..training.export import export

    difference = export(
        args.cfgs, args.checkpoint, args.output, args.host, args.frames, args.overrides, tuple(args.size)
    )
    print(f"{args.output}: outputs equal torch's to {difference:.1g} of the largest")
