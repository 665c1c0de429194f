"""torchreid's own options, and settings on a command line as its ``key value`` pairs."""

from __future__ import annotations

from collections.abc import Sequence

from plugins.common.arguments import Parser

UNDOTTED = ("use_gpu",)  # the only key outside a section


def add_settings(parser: Parser, example: str = "train.max_epoch=2") -> None:
    """Add the data options and the settings."""
    parser.add_argument("-s", "--sources", nargs="+", default=[], metavar="NAME", help="data sets to train on")
    parser.add_argument("-t", "--targets", nargs="+", default=[], metavar="NAME", help="data sets to test on")
    parser.add_argument("--transforms", nargs="+", default=[], metavar="NAME", help="training augmentations")
    parser.add_argument("--root", default="", metavar="FOLDER", help="the folder that holds the data sets")
    parser.add_overrides(example, UNDOTTED)


def opts(overrides: Sequence[str]) -> list[str]:
    """Return ``key=value`` settings as alternating keys and values, as torchreid's command line has them."""
    return [part for setting in overrides for part in setting.split("=", 1)]
