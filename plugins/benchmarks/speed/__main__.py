"""``python -m plugins bench kprpe`` or ``stra``: measure, print a table, write JSON."""

from __future__ import annotations

import argparse
import json
import platform
import sys
from collections.abc import Sequence
from pathlib import Path

import torch

from ...common.cli import command
from ...common.files import atomic_write
from ...errors import KpstraError, one_of
from . import kprpe, stra

BENCHMARKS = {"kprpe": kprpe, "stra": stra}  # each has SHAPES, run(device, repeats, names), table(results)


@command("python -m plugins bench")
def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; return 0, or 2 for the user's mistake."""
    parser = argparse.ArgumentParser(prog="python -m plugins bench", description=__doc__)
    parser.add_argument("what", choices=BENCHMARKS)
    parser.add_argument("--shapes", nargs="+", metavar="NAME", help="default: all")
    parser.add_argument("--repeats", type=int, default=7, help="counted rounds")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write everything measured there")
    args = parser.parse_args(argv)
    benchmark = BENCHMARKS[args.what]
    names = list(benchmark.SHAPES) if args.shapes is None else args.shapes
    for name in names:
        one_of(name, benchmark.SHAPES, "--shapes")
    if args.repeats < 1:
        raise KpstraError(f"--repeats: {args.repeats}: expected 1 or more")
    results = benchmark.run(torch.device(args.device), args.repeats, names)
    setting = {
        "torch": torch.__version__,
        "threads": torch.get_num_threads(),
        "device": args.device,
        "machine": platform.machine(),
        "repeats": args.repeats,
    }
    print(benchmark.table(results))
    print(", ".join(f"{key} {value}" for key, value in setting.items()))
    if args.json:
        with atomic_write(args.json, "w") as stream:
            json.dump({"setting": setting, "results": results}, stream, indent=1)
        print(f"JSON: {args.json}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
