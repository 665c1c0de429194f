"""Render faces with exact landmarks, aligned to train on, aligned and unaligned to test on: a benchmark."""

from __future__ import annotations

import argparse
from pathlib import Path

from plugins.common.arguments import Parser
from plugins.common.cli import GOES_ON

INTERRUPTED = GOES_ON
OPTIONS = {
    "identities": "number of people",
    "train": "how many of them are trained on",
    "views": "views of each person",
    "size": "side of the pictures, in pixels",
    "seed": "seed of all random numbers",
    "spread": "factor on the differences between people",
    "variation": "factor on pose, expression, light and noise",
    "alignment-error": "factor on the errors of the boxes that unaligned pictures are cut by",
}


def add_arguments(parser: Parser) -> None:
    """The faces' settings."""
    from ..benchmarks.faces import Settings
    from ..benchmarks.faces import __doc__ as about

    parser.description = about
    parser.add_argument("--output", required=True, type=Path, metavar="DIR", help="a new folder, or one to continue")
    for option, text in OPTIONS.items():
        default = getattr(Settings, option.replace("-", "_"))
        metavar = {int: "N", float: "X"}[type(default)]
        parser.add_argument(f"--{option}", type=type(default), default=default, metavar=metavar, help=text)


def run(args: argparse.Namespace) -> None:
    """Write the faces and say what there is."""
    from ..benchmarks.faces import LANDMARKS, Settings, write

    options = vars(args)
    output, settings = options.pop("output"), Settings(**options)
    written = write(output, settings)
    splits = [one.split for one in settings.pictures() if one.kind == "aligned"]
    print(
        f"{output}: {written} pictures written; {settings.train} training identities, "
        f"{settings.identities - settings.train} test identities: {splits.count('query')} queries, "
        f"{splits.count('gallery')} in the gallery, aligned and unaligned; train on them with "
        f"`python -m reid_ext --root {output} -s train -t aligned unaligned data.keypoints {output / LANDMARKS}`"
    )
