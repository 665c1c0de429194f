"""Convert keypoints of images into one compact file, and show whether they fit.

Reads the JSON of the keypoint-promptable re-ID project, COCO results, MMPose, OpenPose, AlphaPose, Ultralytics,
MediaPipe and CSV tables; joint sets become COCO's 17. Says which images have none and how many confident joints lie on
their crop, and draws some crops with their joints. The file is what data.keypoints takes.

    reid-ext keypoints pifpaf_keypoints --images reid-data/market1501 --output market.npz
"""

from __future__ import annotations

import argparse
from pathlib import Path

from plugins.common.arguments import Parser

INTERRUPTED = "nothing was written"


def add_arguments(parser: Parser) -> None:
    """The files, the images, the output."""
    parser.add_argument("keypoints", metavar="PATH", help="a keypoint file, or a folder of them")
    parser.add_argument("--images", required=True, type=Path, metavar="FOLDER", help="the images, also in its folders")
    parser.add_argument("--output", required=True, type=Path, metavar="FILE.npz", help="the file to write")
    parser.add_argument("--format", metavar="NAME", help="of the files (default: told by their content)")
    parser.add_argument("--sheet", type=Path, metavar="FILE.png", help="the picture (default: beside the output)")


def run(args: argparse.Namespace) -> None:
    """Convert, draw, and say what there is."""
    from ..data.crop_files import convert

    for line in convert(args.keypoints, args.images, args.output, args.sheet, args.format):
        print(line)
