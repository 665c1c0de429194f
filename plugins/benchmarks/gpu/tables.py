"""What ``bench gpu`` of every program does: measure its tables, and write them onto the page."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..speed.report import at_least
from .page import JSON, PAGE, card, write_page

if TYPE_CHECKING:
    import torch

Measure = Callable[["torch.device", int], "list[dict[str, Any]]"]


def add_gpu_options(parser: ArgumentParser) -> None:
    """Add ``--folder`` and ``--repeats``."""
    parser.add_argument(
        "--folder", type=Path, default=Path("build/gpu"), metavar="FOLDER", help=f"holds {JSON} and {PAGE}"
    )
    parser.add_argument("--repeats", type=int, default=10, metavar="N", help="counted rounds at most")


def run_tables(args: Namespace, tables: Mapping[str, Measure]) -> None:
    """Measure tables one after the other, writing the page after each.

    Raises:
        KpstraError: torch finds no CUDA device; the page then says "not measured" where nothing was.
    """
    import torch

    at_least(repeats=(args.repeats, 1))
    write_page(args.folder, {}, {})
    setting = card()
    for name, measure in tables.items():
        write_page(args.folder, setting, {name: measure(torch.device("cuda"), args.repeats)})
        torch.cuda.empty_cache()
    print((args.folder / PAGE).read_text(encoding="utf-8"))
