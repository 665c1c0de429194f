"""What ``bench gpu`` of every program does: measure its tables part by part, and write them onto the page.

With a budget every table has its share of what is left of it; what one does not need is for the next. A part is begun
if the longest part of the table so far would still end in time, and the page says how many were measured.
"""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...common.budget import Budget, add_budget
from ..speed.report import at_least
from .page import JSON, PAGE, card, parts_measured, write_page

if TYPE_CHECKING:
    import torch

Part = Callable[[], "list[dict[str, Any]]"]  # measures some rows
Parts = Callable[["torch.device", int], Sequence[Part]]  # of a table, by the device and the rounds


def add_gpu_options(parser: ArgumentParser) -> None:
    """Add ``--folder``, ``--repeats`` and ``--budget``."""
    parser.add_argument(
        "--folder", type=Path, default=Path("build/gpu"), metavar="FOLDER", help=f"holds {JSON} and {PAGE}"
    )
    parser.add_argument("--repeats", type=int, default=10, metavar="N", help="counted rounds at most")
    add_budget(parser)


def run_tables(args: Namespace, tables: Mapping[str, Parts], budget: Budget | None = None) -> None:
    """Measure tables one after the other, writing the page after each part.

    Args:
        args: of :func:`add_gpu_options`.
        tables: what measures each, by its name on the page.
        budget: of the command; by default one of ``args.budget`` seconds from here.

    Raises:
        KpstraError: torch finds no CUDA device; the page then says "not measured" where nothing was.
    """
    import torch

    at_least(repeats=(args.repeats, 1))
    budget = budget or Budget(args.budget)
    write_page(args.folder, {}, {})
    setting = card()
    for number, (name, parts) in enumerate(tables.items()):
        share = budget.share(len(tables) - number)
        measure_table(args.folder, setting, name, parts(torch.device("cuda"), args.repeats), share)
        torch.cuda.empty_cache()
    print((args.folder / PAGE).read_text(encoding="utf-8"))


def measure_table(folder: Path, setting: Mapping[str, str], name: str, parts: Sequence[Part], share: Budget) -> None:
    """Measure one table's parts as far as its share of the time goes, writing the page after each.

    What an earlier run measured of it in the same setting stays until there is as much.
    """
    rows: list[dict[str, Any]] = []
    before = parts_measured(folder, setting, name, len(parts))
    for number, part in enumerate(parts, start=1):
        if not share.allows(name):
            break
        with share.timed(name):
            rows += part()
        if number >= before:
            write_page(folder, setting, {name: rows}, {name: (number, len(parts))})
