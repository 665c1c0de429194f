"""What the ``robustness`` commands of both hosts share of their command lines, and what they write."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from ...common.arguments import Parser
from ...common.files import atomic_write
from ...errors import KpstraError
from .disturbance import KINDS, SHARES, Disturbance
from .sweep import CheckpointRun, Point, numbered, points

INTERRUPTED = "the same command goes on after the last point"


class Words(NamedTuple):
    """What a host calls its things."""

    queries: str  # what is matched, in the plural: probes, queries
    tested: str  # what has the errors: sequences, crops
    height: str  # of what amounts are shares: the frame's height
    dropped: str  # of what drop-out is a share
    units: Mapping[str, str]  # of kinds of error whose unit has another name here


def add_checkpoints(parser: Parser) -> None:
    """Add ``--checkpoint``, as ``runs``: texts for :meth:`CheckpointRun.of`."""
    parser.add_argument(
        "--checkpoint",
        action="append",
        required=True,
        metavar="NAME=CONFIG:FILE",
        dest="runs",
        help="a checkpoint, its configuration, and what to call it; may be given several times: "
        "checkpoints of one name are trainings with several seeds, shown as their mean and spread",
    )


def add_arguments(parser: Parser, words: Words) -> None:
    """Add checkpoints, errors and their sizes."""
    add_checkpoints(parser)
    parser.add_argument(
        "--output",
        type=Path,
        default=Path("robustness"),
        metavar="FOLDER",
        help="robustness.json, .md, .png and .html go here; given again, finished points are skipped",
    )
    parser.add_argument(
        "--errors",
        nargs="+",
        default=["translation", "scale", "rotation", "crop"],
        metavar="KIND",
        help=f"kinds of error, of {', '.join(KINDS)} (default: the first four)",
    )
    parser.add_argument(
        "--severities", nargs="+", type=float, default=[0.25, 0.5, 0.75, 1.0], metavar="X", help="severities beside 0"
    )
    parser.add_argument(
        "--seeds", nargs="+", type=int, default=[0], metavar="N", help="one draw of all errors for each"
    )
    parser.add_argument(
        "--joint-noise",
        type=float,
        default=0.0,
        metavar="X",
        help="also with errors of the box: standard deviation of the joints at severity 1, as a share "
        f"of {words.height}",
    )
    parser.add_argument(
        "--joint-dropout",
        type=float,
        default=0.0,
        metavar="X",
        help=f"likewise: share of {words.dropped} at severity 1",
    )
    parser.add_argument(
        f"--{words.queries}-only", dest="queries_only", action="store_true", help="leave the gallery as it is"
    )
    parser.add_argument(
        "--metrics", nargs="+", default=[], metavar="NAME", help="metrics in table and picture (default Rank-1 and mAP)"
    )


def asked(options: argparse.Namespace) -> tuple[list[CheckpointRun], list[Point]]:
    """Return the checkpoints and points that the options ask for.

    Raises:
        KpstraError: a mistake in the options.
    """
    runs = numbered([CheckpointRun.of(text) for text in options.runs])
    for error in options.errors:
        for severity in options.severities:
            Disturbance.of(error, severity, options.joint_noise, options.joint_dropout)
    if min(options.seeds) < 0:
        raise KpstraError(f"--seeds {min(options.seeds)}: expected whole numbers from 0")
    errors, seeds = (list(dict.fromkeys(given)) for given in (options.errors, options.seeds))
    return runs, points(errors, options.severities, seeds)


def write(
    options: argparse.Namespace,
    words: Words,
    runs: Sequence[CheckpointRun],
    content: Mapping[str, Any],
    wanted: Sequence[Point],
) -> None:
    """Write ``robustness.md``, ``.png`` and ``.html`` of the points asked for, and say where they are.

    Args:
        options: of the command.
        words: of the host.
        runs: the checkpoints.
        content: of the store.
        wanted: the points.
    """
    from ..report import write_page
    from .plot import plot
    from .report import chosen_metrics, curves, markdown, page, table

    points_asked = {(p.error, p.severity, p.seed) for p in wanted}
    names = {one.key: one.label for one in runs}
    labels = list(dict.fromkeys(names.values()))
    measured = [
        {**p, "run": names[p["run"]]}
        for p in content["points"]
        if p["run"] in names and (p["error"], p["severity"], p["seed"]) in points_asked
    ]
    metrics = chosen_metrics(measured, options.metrics)
    found = curves(measured, labels, list(dict.fromkeys(options.errors)))
    about = _about(options, words, [list(names.values()).count(label) for label in labels])
    lines = table(found, metrics, words.units)
    text = markdown(lines)
    with atomic_write(options.output / "robustness.md", "w") as stream:
        stream.write(f"{text}\n\n{about}\n")
    picture = options.output / "robustness.png"
    plot(found, metrics, picture, about, words.units)
    tested = {one.key: content["runs"][one.key] for one in runs}
    look = page(lines, about, picture, tested, content.get("made", []), words.tested)
    write_page(look, options.output / "robustness.html")
    print(text)
    for name in ("robustness.json", "robustness.md", "robustness.png", "robustness.html"):
        print(options.output / name)


def _about(options: argparse.Namespace, words: Words, trained: Sequence[int]) -> str:
    about = f"{words.queries}{'' if options.queries_only else ' and gallery'} misaligned; severity: standard deviation"
    if shares := [error for error in SHARES if error in options.errors]:
        about += f" (of {' and '.join(shares)} the share itself)"
    if options.joint_noise or options.joint_dropout:
        about += f"; joints with {options.joint_noise:g} noise and {options.joint_dropout:g} drop-out at severity 1"
    draws, trainings = len(set(options.seeds)), sorted(set(trained))
    about += f"; {draws} draw{'s' if draws > 1 else ''}, {' to '.join(map(str, trainings))} trained for each line"
    about += ", band: ± standard deviation" if max(draws, *trainings) > 1 else ""
    return f"{about[0].upper()}{about[1:]}."
