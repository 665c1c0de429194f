"""Draw what the modes of a StRA network attend to (paper, Figs. 3 and 4)."""

from __future__ import annotations

import argparse
from pathlib import Path

from plugins.common.arguments import Parser
from plugins.errors import KpstraError, one_of


def add_arguments(parser: Parser) -> None:
    """The network, the crops, what is shown."""
    parser.add_argument("--model", required=True, metavar="NAME", help="a StRA model of torchreid's factory")
    parser.add_argument("--weights", required=True, metavar="FILE", help="a checkpoint, also the authors'")
    parser.add_argument("--images", required=True, nargs="+", metavar="PATH", help="crops, or folders of them")
    parser.add_argument(
        "--output", required=True, type=Path, metavar="FOLDER", help="modes.png, parts.png, distribution.png"
    )
    parser.add_argument("--block", metavar="NAME", help="such as layer4.0 (default: the first StRA block)")
    parser.add_argument("--modes", type=int, default=4, metavar="N", help="modes shown for each crop")
    parser.add_argument("--rows", type=int, default=6, metavar="N", help="crops shown")
    parser.add_argument("--height", type=int, default=256, metavar="N", help="of the network's input")
    parser.add_argument("--width", type=int, default=128, metavar="N", help="of the network's input")


def run(args: argparse.Namespace) -> None:
    """Draw the pictures."""
    from ..host import torchreid
    from ..models import factory as models
    from ..pictures.mode_maps import find_block
    from ..pictures.mode_pictures import find_images, write_pictures
    from ..training.weights import load_all_features

    one_of(args.model, models.MODELS, "--model")
    for name in ("modes", "rows", "height", "width"):
        if getattr(args, name) < 1:
            raise KpstraError(f"--{name}: {getattr(args, name)}: expected 1 or more")
    models.register()
    model = torchreid.models.build_model(args.model, 1, pretrained=False, use_gpu=False)
    find_block(model, args.block)
    paths = find_images(args.images)
    load_all_features(model, args.weights)
    pictures = write_pictures(model, paths, args.output, args.height, args.width, args.block, args.modes, args.rows)
    print("\n".join(f"Picture: {path}" for path in pictures))
