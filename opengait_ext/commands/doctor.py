"""``opengait-ext doctor``: what is installed, which host and device, and whether a data set is fit."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from plugins.common.cli import command

from ..data.inspection import PUBLISHED, inspect_dataset
from ..host.find import find_host
from ..host.installation import describe_host, devices, installation
from ..pictures.sheet import overlay_sheet


@command("opengait-ext doctor")
def main(argv: Sequence[str] | None = None) -> int:
    """Check and report; return 0 if all is well, 1 if a check failed, 2 for a mistake in the arguments."""
    parser = argparse.ArgumentParser(prog="opengait-ext doctor", description=__doc__)
    parser.add_argument("--data", metavar="FOLDER", help="a prepared data set: <id>/<type>/<view>/*.pkl")
    parser.add_argument("--partition", metavar="JSON", help="its TRAIN_SET, TEST_SET and PROBE_SET")
    parser.add_argument("--published", choices=PUBLISHED, help="compare the counts with this data set's published ones")
    parser.add_argument("--sheet", default="overlay.png", metavar="PNG", help="where the overlay sheet goes")
    parser.add_argument("--host", default="auto", metavar="auto|opengait|embedded|PATH")
    args = parser.parse_args(argv)
    lines = [*installation(), *describe_host(find_host(args.host)), *devices()]
    if args.data:
        lines += inspect_dataset(Path(args.data), args.partition and Path(args.partition), args.published)
        print(f"overlay sheet: {overlay_sheet(Path(args.data), Path(args.sheet))}")
    for good, what in lines:
        print(f"{'ok  ' if good else 'LOOK'}  {what}")
    return 0 if all(good for good, _ in lines) else 1


if __name__ == "__main__":
    sys.exit(main())
