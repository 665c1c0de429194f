"""The options that choose host and device, on every command that runs one."""

from __future__ import annotations

from argparse import ArgumentParser


def add_host(parser: ArgumentParser, default: str = "auto", device: bool = True) -> None:
    """Add ``--host`` and, if the command computes, ``--device``."""
    parser.add_argument(
        "--host",
        default=default,
        metavar="auto|opengait|embedded|PATH",
        help="whose training loop, data and evaluation: a checkout of OpenGait, or the stand-in that is part of this "
        "package (embedded); auto prefers a checkout: OPENGAIT_HOME, or setup's",
    )
    if device:
        parser.add_argument(
            "--device", default="auto", choices=("auto", "cpu", "cuda"), help="auto takes CUDA if there is any"
        )
