"""Make coloured walkers in Market-1501's layout, a benchmark."""

from __future__ import annotations

import argparse
from pathlib import Path

from plugins.common.arguments import Parser
from plugins.common.cli import GOES_ON

INTERRUPTED = GOES_ON
OPTIONS = {
    "identities": "number of people",
    "train": "how many of them are trained on",
    "others": "people beside them in a data set of their own, others, for data.sources",
    "cameras": "cameras, each with its background, light and azimuth",
    "crops": "crops of each person by each camera",
    "seed": "seed of all random numbers",
    "spread": "factor on the differences between people",
    "view-jitter": "largest change of a camera's azimuth, in degrees",
    "clothing": "clothes: 0 plain, 1 coats, bags and thick clothes",
    "light": "differences of light, blur and grain",
    "alignment-error": "misalignment of the crops: 0 none, 1 strong",
    "bodies": "simple or anny (kpstra[bodies])",
}


def add_arguments(parser: Parser) -> None:
    """The walkers' settings."""
    from ..benchmarks.walkers import Settings
    from ..benchmarks.walkers import __doc__ as about

    parser.description = about
    parser.add_argument("--output", required=True, type=Path, metavar="DIR", help="a new folder, or one to continue")
    for option, text in OPTIONS.items():
        default = getattr(Settings, option.replace("-", "_"))
        metavar = {int: "N", float: "X", str: "NAME"}[type(default)]
        parser.add_argument(f"--{option}", type=type(default), default=default, metavar=metavar, help=text)


def run(args: argparse.Namespace) -> None:
    """Write the crops and say what there is."""
    from ..benchmarks.walkers import Settings, write

    options = vars(args)
    output, settings = options.pop("output"), Settings(**options)
    written = write(output, settings)
    tests = settings.identities - settings.train
    others = f"; {settings.others} others (data.sources [others])" if settings.others else ""
    print(
        f"{output}: {written} crops written; {settings.train} training identities{others}, {tests} test identities: "
        f"{tests * settings.cameras} queries, {tests * settings.cameras * (settings.crops - 1)} in the gallery; "
        f"train on them with `python -m reid_ext --root {output}`"
    )
