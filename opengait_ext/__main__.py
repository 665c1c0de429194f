"""``python -m opengait_ext`` and ``opengait-ext``: OpenGait's ``main.py`` with our models, and subcommands."""

from __future__ import annotations

import sys

from plugins.common.cli import Program

PROGRAM = Program(
    "opengait-ext",
    "opengait_ext.commands",
    "Gait recognition with OpenGait: its own options (--cfgs, --phase, ...) train and test as its main.py does.",
    default="train",
)
main = PROGRAM.main

if __name__ == "__main__":
    sys.exit(main())
