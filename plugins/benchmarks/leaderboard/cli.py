"""What the leaderboards of both hosts share of their command lines: ``run``, ``report`` and ``models``."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from ...common.arguments import Parser
from ...common.budget import Budget, add_budget
from ...common.settings import refuse_taken
from ...errors import KpstraError

if TYPE_CHECKING:
    from .host import Complexity, Host
    from .table import Row, Section

RESULTS = "leaderboard_results"


def add_arguments(parser: Parser, setting: str) -> Parser:
    """Add the commands and their options.

    Args:
        setting: an example of the host's settings.

    Returns:
        The parser of ``run``, for the host's own options.
    """
    commands = parser.add_subparsers(dest="what", required=True, metavar="WHAT")
    shared = Parser(add_help=False)
    shared.add_argument(
        "--table",
        default="leaderboard",
        metavar="FILE",
        help="the rows: a path, or a shipped file such as leaderboard_pets",
    )
    shared.add_argument("--results", type=Path, default=RESULTS, metavar="FOLDER", help="the runs lie below it")
    shared.add_argument("--rows", nargs="+", default=[], metavar="NAME", help="these rows only (default: all)")

    run = commands.add_parser(
        "run",
        parents=[shared],
        help="train and test; finished runs are skipped, interrupted ones go on",
        description="Train and test rows, every run a process with a folder of its own. Given again, the command skips "
        "what is finished and goes on with what is not. In the end report.md and report.html are written, of all rows.",
    )
    run.add_argument("--seeds", nargs="+", type=int, default=[0], metavar="N", help="one run of each row for each")
    run.add_argument(
        "--workers", type=int, default=1, metavar="N", help="runs at a time; on CUDA they share the device"
    )
    add_budget(run)
    run.add_overrides(setting)

    report = commands.add_parser(
        "report",
        parents=[shared],
        help="write report.md and report.html",
        description="The paper beside what the finished runs measured, as Markdown and as a page to look at, with the "
        "parameters and multiply-accumulates of every network.",
    )
    report.add_argument(
        "--output", type=Path, metavar="FOLDER", help="the report goes there (default: into the results)"
    )

    models = commands.add_parser(
        "models", help="write the page of all models", description="A table of all configurations and rows, one page."
    )
    models.add_argument("--configs", type=Path, default="configs", metavar="FOLDER", help="holds the configurations")
    models.add_argument("--output", type=Path, default="docs/models.md", metavar="FILE.md", help="the page")
    return run


def run(host: type[Host], args: argparse.Namespace) -> int:
    """Run a host's leaderboard; return 0, or 1 if a run failed."""
    return {"run": run_rows, "report": report, "models": models}[args.what](host, args)


def run_rows(host: type[Host], args: argparse.Namespace) -> int:
    """``run``."""
    from .runner import FAILED, FINISHED, LEFT, SKIPPED, make_jobs, run_jobs
    from .table import read_table

    if args.workers < 1:
        raise KpstraError(f"--workers {args.workers}: expected 1 or more")
    budget = Budget(args.budget)
    section = read_table(args.table, host.section)
    args.data = args.data or section.data
    jobs = make_jobs(section, args.rows, args.seeds, args.results)
    settings = dict(setting.split("=", 1) for setting in args.overrides)
    refuse_taken(settings, host.taken, "command line")
    for row in section.rows:
        refuse_taken(row.set, host.taken, f"{args.table}: {section.name}.rows: {row.name}.set")
    outcomes = run_jobs(host(args, settings), jobs, partial(print, flush=True), args.workers, budget)
    states = [outcome.state for outcome in outcomes]
    print(f"\n{', '.join(f'{states.count(state)} {state}' for state in (FINISHED, SKIPPED, FAILED))}")
    if LEFT in states:
        print(f"{states.count(LEFT)} {LEFT} (--budget); the same command goes on with them")
    for outcome in outcomes:
        if outcome.state == FAILED:
            print(f"failed: {outcome.job}: {outcome.message}")
    write_reports(host, section, section.rows, args.results, args.results / section.name)
    print(f"with parameters and operations: {host.program} report --table {args.table} --results {args.results}")
    return 1 if FAILED in states else 0


def report(host: type[Host], args: argparse.Namespace) -> int:
    """``report``."""
    from .table import read_table

    section = read_table(args.table, host.section)
    rows = section.chosen(args.rows)
    ours = [row for row in rows if row.config is not None]
    complexities = dict(zip((row.name for row in ours), host.complexities(ours), strict=True))
    write_reports(host, section, rows, args.results, args.output or args.results / section.name, complexities)
    return 0


def write_reports(
    host: type[Host],
    section: Section,
    rows: Sequence[Row],
    results: Path,
    output: Path,
    complexities: Mapping[str, Complexity] | None = None,
) -> None:
    """Write ``report.md`` and ``report.html`` into ``output``; say where they are."""
    from ...common.files import atomic_write
    from ..report import write_page
    from .page import page
    from .report import markdown
    from .summary import collect

    lines = collect(section, rows, results, host.result, complexities or {})
    with atomic_write(output / "report.md", "w") as stream:
        stream.write(markdown(section, lines, results))
    print(output / "report.md")
    print(write_page(page(host, section, lines, results), output / "report.html"))
    print(f"{sum(bool(line.results) for line in lines)} of {len(lines)} rows measured")


def models(host: type[Host], args: argparse.Namespace) -> int:
    """``models``."""
    from .models import write_models

    print(f"{write_models(host, args.configs, args.output)} models in {args.output}")
    return 0
