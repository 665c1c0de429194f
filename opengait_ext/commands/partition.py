"""Make a partition of prepared data: who trains, who tests, and the probes."""

from __future__ import annotations

import argparse
from pathlib import Path

from plugins.common.arguments import Parser


def add_arguments(parser: Parser) -> None:
    """The data, who trains, the probes, the file."""
    parser.add_argument("--data", required=True, metavar="FOLDER", help="a prepared data set: <id>/<type>/<view>/*.pkl")
    parser.add_argument(
        "--train",
        default="0.75",
        metavar="WHO",
        help="how many identities train, or a share of them below 1, in the order of names; or their names, a,b,c or a "
        "file with one a line; the others test. 3 is how many, 0003 a name, and so is '3,'",
    )
    parser.add_argument(
        "--probes",
        default="1",
        metavar="RULE",
        help="how many sequences of each test identity are probes, in the order of names; or a pattern of "
        "<id>-<type>-<view> such as *-nm-05-*; the others are the gallery",
    )
    parser.add_argument("--like", metavar="JSON", help="a published partition: keep of it what is in the data instead")
    parser.add_argument("--output", metavar="JSON", help="where it goes (default: partition.json in the data)")
    parser.add_argument("--overwrite", action="store_true", help="replace a file that is there and differs")


def run(args: argparse.Namespace) -> None:
    """Write the partition and say what is in it."""
    from ..data.layout import find_sequences
    from ..data.partition import read_partition, restricted, split, summary, write_partition

    names = find_sequences(Path(args.data), ".pkl", "--data")
    output = Path(args.output or Path(args.data) / "partition.json")
    if args.like:
        sets = restricted(read_partition(args.like), names, args.like)
    else:
        sets = split(names, args.train, args.probes)
    write_partition(output, sets, args.overwrite)
    print(f"{output}: {summary(sets, names)}; use it with data_cfg.dataset_partition={output}")
