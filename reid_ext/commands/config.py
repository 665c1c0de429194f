"""Print a configuration as a run takes it, for a file of one's own.

Your options and settings are merged over the configuration, and that over torchreid's defaults; all is checked.

    reid-ext config resnet50_stra train.batch_size=64 > my.yaml
"""

from __future__ import annotations

import argparse

from plugins.common.arguments import Parser

from ..settings.options import add_settings, opts


def add_arguments(parser: Parser) -> None:
    """The configuration and settings."""
    parser.add_argument("name", metavar="NAME", help="a path, or a shipped configuration's name")
    add_settings(parser)


def run(args: argparse.Namespace) -> None:
    """Merge, check and print."""
    from ..settings.load import as_yaml, load_config

    cfg = load_config(args.name, opts(args.overrides), args.root, args.sources, args.targets, args.transforms)
    print(as_yaml(cfg), end="")
