"""Draw pairs of face images for verification, from a folder for each identity.

Half of them are of one person. The table is a data set to test on: its name, below data.root, without .csv.

    reid-ext pairs faces/unaligned --number 600 --output faces/unaligned_pairs.csv
"""

from __future__ import annotations

import argparse
from pathlib import Path

from plugins.common.arguments import Parser

INTERRUPTED = "nothing was written"


def add_arguments(parser: Parser) -> None:
    """The images, the number of pairs, the output."""
    parser.add_argument("images", type=Path, metavar="FOLDER", help="of identities: FOLDER/<identity>/<image>")
    parser.add_argument("--number", type=int, default=6000, metavar="N", help="pairs, a multiple of 20")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="of the random numbers")
    parser.add_argument("--output", required=True, type=Path, metavar="FILE.csv", help="the table to write")


def run(args: argparse.Namespace) -> None:
    """Draw and write."""
    from ..data.faces.drawing import draw_pairs, write_table

    pairs = draw_pairs(args.images, args.number, args.seed)
    write_table(args.output, pairs)
    people = {image.parent for first, second, _ in pairs for image in (first, second)}
    print(f"{args.output}: {len(pairs):,} pairs, half of one person; {len(people):,} people")
