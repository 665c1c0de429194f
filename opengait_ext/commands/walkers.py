"""Make parametric walkers in OpenGait's layout, a benchmark."""

from __future__ import annotations

import argparse

from plugins.common.arguments import Parser
from plugins.common.cli import GOES_ON

INTERRUPTED = GOES_ON
COUNTS = {
    "identities": "number of people",
    "train": "how many of them are trained on",
    "validation": "how many of the others settings are chosen on; the rest are tested",
    "sequences": "sequences of each person",
    "probes": "probe sequences of each person who is not trained on",
    "frames": "frames of each sequence",
    "seed": "seed of all random numbers",
    "cameras": "cameras, evenly over the half circle",
}
AMOUNTS = {
    "view-jitter": "largest change of a camera's azimuth, in degrees",
    "spread": "factor on the differences between people",
    "clothing": "clothes: 0 plain, 1 coats, bags and thick clothes",
    "noise": "noise of the silhouettes: 0 none, 1 strong",
    "joint-noise": "standard deviation of the joints, as a share of the raw frame's height",
    "alignment-error": "misalignment: 0 none, 1: 8 %% of the height, 15 %% of the size, 12 degrees",
}


def add_arguments(parser: Parser) -> None:
    """The walkers' settings."""
    from plugins.benchmarks.walkers import BODIES

    from ..benchmarks.walkers import Settings
    from ..benchmarks.walkers import __doc__ as about

    parser.description = about
    parser.add_argument("--output", required=True, metavar="DIR", help="a new folder, or one to continue")
    for table, kind, metavar in ((COUNTS, int, "N"), (AMOUNTS, float, "X")):
        for option, text in table.items():
            default = getattr(Settings, option.replace("-", "_"))
            parser.add_argument(f"--{option}", type=kind, default=default, metavar=metavar, help=text)
    parser.add_argument(
        "--train-alignment-error",
        type=float,
        metavar="X",
        help="misalignment of the training sequences (default: as --alignment-error)",
    )
    parser.add_argument(
        "--joint-errors",
        type=float,
        metavar="X",
        help="a pose network's: coarse, missed and swapped joints; 1 usual (default: 0 with simple bodies, else 1)",
    )
    parser.add_argument(
        "--bodies", default=Settings.bodies, metavar="NAME", help=f"{' or '.join(BODIES)} (kpstra[bodies])"
    )
    parser.add_argument("--raw", action="store_true", help="write 2D_Silhouettes/ and 2D_Poses/ for `prepare`")
    parser.add_argument("--workers", type=int, metavar="N", help="processes (default: one for each core)")


def run(args: argparse.Namespace) -> None:
    """Write the walkers and say what there is."""
    from ..benchmarks.walkers import Settings, write
    from ..benchmarks.walkers.write import PARTITION, VALIDATION

    options = vars(args)
    output, workers, chosen = options.pop("output"), options.pop("workers"), Settings(**options)
    frames, sets = write(output, chosen, workers), chosen.partition()
    tests = len(sets["TEST_SET"]) * chosen.sequences
    validation = f"{chosen.validation} for validation ({VALIDATION}), " if chosen.validation else ""
    print(
        f"{output}: {frames} frames written; {len(sets['TRAIN_SET'])} training identities, {validation}"
        f"{len(sets['TEST_SET'])} test identities of {chosen.sequences} sequences: {len(sets['PROBE_SET'])} probes, "
        f"{tests - len(sets['PROBE_SET'])} in the gallery; partition: {output}/{PARTITION}"
    )
