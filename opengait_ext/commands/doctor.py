"""Check the installation, host and device, and a data set."""

from __future__ import annotations

import argparse
from pathlib import Path

from plugins.common.arguments import Parser
from plugins.errors import KpstraError, one_of

from ..host.options import add_host


def add_arguments(parser: Parser) -> None:
    """What to check."""
    parser.add_argument("--data", type=Path, metavar="FOLDER", help="a prepared data set: <id>/<type>/<view>/*.pkl")
    parser.add_argument("--partition", type=Path, metavar="JSON", help="its TRAIN_SET, TEST_SET and PROBE_SET")
    parser.add_argument("--published", metavar="Gait3D", help="compare the counts with this data set's published ones")
    parser.add_argument("--sheet", type=Path, default="overlay.png", metavar="PNG", help="where the overlay sheet goes")
    add_host(parser, device=False)


def run(args: argparse.Namespace) -> int:
    """Check and report; return 0 if all is well, 1 if a check failed."""
    from ..data.inspection import PUBLISHED, inspect_dataset
    from ..host.find import find_host
    from ..host.installation import describe_host, devices, installation
    from ..pictures.sheet import overlay_sheet

    if args.published:
        one_of(args.published, PUBLISHED, "--published")
    lines = [*installation(), *describe_host(find_host(args.host)), *devices()]
    if args.data:
        lines += inspect_dataset(args.data, args.partition, args.published)
    for line in lines:
        print(_told(*line))
    if args.data:
        try:
            lines.append((True, f"overlay sheet: {overlay_sheet(args.data, args.sheet)}"))
        except KpstraError as error:
            lines.append((False, f"overlay sheet: not drawn: {error}"))
        print(_told(*lines[-1]))
    return 0 if all(good for good, _ in lines) else 1


def _told(good: bool, what: str) -> str:
    return f"{'ok  ' if good else 'LOOK'}  {what}"
