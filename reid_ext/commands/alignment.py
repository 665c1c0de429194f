"""Test checkpoints on faces between the detector's crop and the aligned one.

The affine map goes in steps from the crop as it is, resized, to the one aligned by its five landmarks (KP-RPE paper,
Fig. 5); landmarks go along. Any data set of faces will do that has landmarks (data.keypoints).

    reid-ext alignment --checkpoint ViT=vit.yaml:vit.pth.tar-34 --checkpoint KP-RPE=kprpe.yaml:kprpe.pth.tar-34
      --root faces --output alignment data.targets=[cfp_fp] data.keypoints=cfp_fp.csv
"""

from __future__ import annotations

import argparse
from pathlib import Path

from plugins.benchmarks.robustness.cli import add_checkpoints
from plugins.common.arguments import Parser

from ..settings.options import UNDOTTED

INTERRUPTED = "the same command goes on after the last step"


def add_arguments(parser: Parser) -> None:
    """Checkpoints, steps, and where the data are."""
    add_checkpoints(parser)
    parser.add_argument(
        "--steps", type=int, default=6, metavar="N", help="tests of each checkpoint, both ends included"
    )
    parser.add_argument("--metrics", nargs="+", default=[], metavar="NAME", help="shown (default: the first measured)")
    parser.add_argument("--output", type=Path, default=Path("alignment"), metavar="FOLDER", help="table and picture")
    parser.add_argument("--root", default="", metavar="FOLDER", help="the folder that holds the data sets")
    parser.add_overrides("data.keypoints=cfp_fp.csv", UNDOTTED)


def run(args: argparse.Namespace) -> None:
    """Test what is not tested yet, then write table and picture."""
    from ..benchmarks.alignment.sweep import evaluate

    evaluate(args)
