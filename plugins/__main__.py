"""``python -m plugins``: list the plugins with their hosts, and run the benchmarks that need none."""

from __future__ import annotations

import sys

from .common.cli import Program

PROGRAM = Program(
    "python -m plugins", "plugins.commands", "The plugins, and benchmarks of them without a host.", default="list"
)
main = PROGRAM.main

if __name__ == "__main__":
    sys.exit(main())
