"""``opengait-ext walkers``: parametric walkers in OpenGait's layout."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from plugins.common.cli import GOES_ON, command

from ..benchmarks.walkers import __doc__ as ABOUT
from ..benchmarks.walkers.plan import Settings
from ..benchmarks.walkers.write import PARTITION, POSES, SILHOUETTES, write

PROGRAM = "opengait-ext walkers"


def build_parser() -> argparse.ArgumentParser:
    """Return the parser; its defaults are those of :class:`Settings`."""
    parser = argparse.ArgumentParser(
        prog=PROGRAM, description=ABOUT, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--output", required=True, metavar="DIR", help="a new folder, or one to continue")
    counts = {
        "identities": "people",
        "train": "of them for training",
        "sequences": "of each identity",
        "probes": "of each test identity's sequences",
        "frames": "of each sequence",
        "seed": "of everything",
        "cameras": "azimuths, evenly over the half circle",
    }
    amounts = {
        "view-jitter": "largest change of the azimuth, degrees",
        "spread": "factor on people's differences",
        "clothing": "0 plain to 1: coats, bags, thick clothes",
        "noise": "of the silhouettes, 0 to 1",
        "joint-noise": "standard deviation, share of the raw frame's height",
        "alignment-error": "0 to 1: 8 %% of the height, 15 %% of the size, 12 degrees",
    }
    for table, kind, metavar in ((counts, int, "N"), (amounts, float, "X")):
        for option, text in table.items():
            default = getattr(Settings, option.replace("-", "_"))
            parser.add_argument(
                f"--{option}", type=kind, default=default, metavar=metavar, help=f"{text} (default {default})"
            )
    parser.add_argument(
        "--train-alignment-error",
        type=float,
        metavar="X",
        help="of the training sequences (default: as --alignment-error)",
    )
    parser.add_argument("--raw", action="store_true", help=f"write {SILHOUETTES}/ and {POSES}/ for `prepare`")
    parser.add_argument("--workers", type=int, metavar="N", help="processes (default: one for each core)")
    return parser


def make(output: str, workers: int | None, **settings: object) -> None:
    """Write the walkers and say what there is."""
    chosen = Settings(**settings)
    frames, sets = write(output, chosen, workers), chosen.partition()
    tests = len(sets["TEST_SET"]) * chosen.sequences
    print(
        f"{output}: {frames} frames written; {len(sets['TRAIN_SET'])} training identities, {len(sets['TEST_SET'])} "
        f"test identities of {chosen.sequences} sequences: {len(sets['PROBE_SET'])} probes, "
        f"{tests - len(sets['PROBE_SET'])} in the gallery; partition: {output}/{PARTITION}"
    )


@command(PROGRAM, GOES_ON)
def main(argv: Sequence[str] | None = None) -> int:
    """Run with the arguments ``argv``; return the exit status."""
    make(**vars(build_parser().parse_args(argv)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
