"""``python -m reid_ext`` and ``reid-ext``: torchreid's ``main.py`` with the StRA models, and subcommands."""

from __future__ import annotations

import sys

from plugins.common.cli import Program

PROGRAM = Program(
    "reid-ext",
    "reid_ext.commands",
    "Person re-identification with torchreid: its own options (--config-file, --root, ...) train and test as its "
    "main.py does.",
    default="train",
)
main = PROGRAM.main

if __name__ == "__main__":
    sys.exit(main())
