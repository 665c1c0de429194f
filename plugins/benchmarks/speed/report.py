"""What every benchmark says at its end: the table, the setting it was measured in, and perhaps all of it as JSON."""

from __future__ import annotations

import platform
from argparse import ArgumentParser
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ...common.files import require_writable, write_json
from ...errors import KpstraError


def add_report_options(parser: ArgumentParser, repeats: int | None = 7) -> None:
    """Add ``--json``, and ``--repeats`` with its default."""
    if repeats is not None:
        parser.add_argument("--repeats", type=int, default=repeats, metavar="N", help="counted rounds")
    parser.add_argument("--json", type=writable, metavar="FILE", help="also write everything measured there")


def writable(text: str) -> Path:
    """Return the path of a file that can be written when the measuring has ended."""
    require_writable(text)
    return Path(text)


def at_least(**bounds: tuple[int, int]) -> None:
    """Check options, each ``name=(value, least)``.

    Raises:
        KpstraError: a value is below its least.
    """
    for name, (value, least) in bounds.items():
        if value < least:
            raise KpstraError(f"--{name}: {value}: expected {least} or more")


def present(results: Any, table: str, file: Path | None, **more: Any) -> None:
    """Print the table and the setting (versions, threads, machine, ``more``); write all to ``file`` if it is named."""
    import numpy as np
    import torch

    setting: Mapping[str, Any] = {
        "torch": torch.__version__,
        "numpy": np.__version__,
        "threads": torch.get_num_threads(),
        "machine": platform.machine(),
        **more,
    }
    print(table)
    print(", ".join(f"{key} {value}" for key, value in setting.items()))
    if file:
        write_json(file, {"setting": setting, "results": results})
        print(f"JSON: {file}")
