"""Find the five landmarks of the faces on a folder's images, with the KP-RPE paper's detector.

Each image is taken to show one face. Writes landmarks.npz, which is what data.keypoints takes, and landmarks.png, some
images with their landmarks; with --align also every face at 112x112, aligned. Images that cannot be read are named, and
left out. A run that was stopped goes on.

    reid-ext landmarks lfw --weights cvlface_DFA_mobilenet/pretrained_model/model.pt --output lfw-landmarks
"""

from __future__ import annotations

import argparse
from pathlib import Path

from plugins.common.arguments import Parser
from plugins.common.cli import GOES_ON
from plugins.common.devices import add_device

INTERRUPTED = GOES_ON


def add_arguments(parser: Parser) -> None:
    """The images, the detector, the output."""
    parser.add_argument("images", type=Path, metavar="FOLDER", help="the images, also in its folders")
    parser.add_argument("--weights", required=True, type=Path, metavar="FILE", help="CVLface's cvlface_DFA_mobilenet")
    parser.add_argument("--output", required=True, type=Path, metavar="DIR", help="a new folder, or one to continue")
    parser.add_argument(
        "--padding",
        type=float,
        default=0.0,
        metavar="X",
        help="black margin, in shares of the side; CVLface has 0.215 for images to train on and 0 for tests",
    )
    parser.add_argument("--align", action="store_true", help="write aligned faces into DIR/aligned too")
    parser.add_argument("--batch", type=int, default=64, metavar="N", help="images at a time")
    add_device(parser)


def run(args: argparse.Namespace) -> None:
    """Find landmarks, draw, and say what there is."""
    from ..data.landmarks import find_landmarks

    options = (args.padding, args.align, args.batch, args.device)
    for line in find_landmarks(args.images, args.weights, args.output, *options):
        print(line)
