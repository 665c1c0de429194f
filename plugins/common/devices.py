"""The option that names a torch device."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import TYPE_CHECKING

from ..errors import KpstraError

if TYPE_CHECKING:
    import torch


def add_device(parser: ArgumentParser) -> None:
    """Add ``--device``."""
    parser.add_argument("--device", default="auto", metavar="auto|cpu|cuda", help="auto takes CUDA if there is any")


def usable(name: str) -> torch.device:
    """Return the device of a name, ``auto`` included.

    Raises:
        KpstraError: torch cannot use it.
    """
    import torch

    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        return torch.empty(0, device=name).device
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        reason = "no such device; expected auto, cpu, cuda, or cuda:1" if "device string" in reason else reason
        raise KpstraError(f"--device: {name!r}: {reason}") from error
