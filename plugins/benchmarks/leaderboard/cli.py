"""The command line that both hosts share: ``run``, ``report`` and ``cards``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from ...common.cli import command
from ...errors import KpstraError
from .cards import write_cards
from .host import Host
from .report import write_report
from .runner import FAILED, FINISHED, SKIPPED, make_jobs, run_jobs
from .summary import collect
from .table import read_table

RESULTS = "leaderboard_results"


def build_parser(host: type[Host]) -> argparse.ArgumentParser:
    """Return the parser of a host's leaderboard."""
    parser = argparse.ArgumentParser(prog=host.program, description=sys.modules[host.__module__].__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    shared = argparse.ArgumentParser(add_help=False)
    shared.add_argument(
        "--table",
        default="leaderboard",
        metavar="FILE",
        help="the rows: a path, or a shipped file such as leaderboard_pets",
    )
    shared.add_argument(
        "--results",
        type=Path,
        default=Path(RESULTS),
        metavar="FOLDER",
        help=f"the runs lie below it (default {RESULTS})",
    )
    shared.add_argument("--rows", nargs="+", default=[], metavar="NAME", help="these rows only")

    run = commands.add_parser(
        "run",
        parents=[shared],
        help="train and test; finished runs are skipped, interrupted ones go on",
        description="Train and test rows, every run a process with a folder of its own. Given again, the command skips "
        "what is finished and goes on with what is not.",
    )
    run.add_argument("--seeds", nargs="+", type=int, default=[0], metavar="N", help="one run of each row for each")
    host.add_options(run)
    run.add_argument(
        "settings",
        nargs="*",
        metavar="key=value",
        help="after all options: settings of the host, key=value or `key value`",
    )

    report = commands.add_parser(
        "report",
        parents=[shared],
        help="write report.md and report.html",
        description="The paper beside what the finished runs measured.",
    )
    report.add_argument("--output", type=Path, metavar="FOLDER", help="default: the results' folder of this host")

    cards = commands.add_parser(
        "cards", help="write the model cards", description="One Markdown file for each configuration."
    )
    cards.add_argument(
        "--configs",
        type=Path,
        default=Path("configs"),
        metavar="FOLDER",
        help="holds the configurations (default configs)",
    )
    cards.add_argument("--output", type=Path, default=Path("docs/cards"), metavar="FOLDER", help="default docs/cards")
    cards.add_argument("--results", type=Path, metavar="FOLDER", help="also say what these runs measured")
    return parser


def main(host: type[Host], argv: Sequence[str] | None = None) -> int:
    """Run a host's leaderboard; return 0, 1 if a run failed, 2 for the user's mistake, 130 for Ctrl-C."""
    args = build_parser(host).parse_args(end_lists(sys.argv[1:] if argv is None else argv))
    chosen = {"run": run, "report": report, "cards": cards}[args.command]
    return command(host.program, "the same command goes on from the last checkpoints")(chosen)(host, args)


def end_lists(argv: Sequence[str]) -> list[str]:
    """Put ``--`` where a list of seeds or rows is followed by settings, which argparse would take for more of it."""
    tokens, option = [], None
    for token in argv:
        if token.startswith("-") and not token.lstrip("-").isdigit():
            option = token
        elif (option == "--seeds" and not token.lstrip("-").isdigit()) or (
            option == "--rows" and ("=" in token or "." in token)
        ):
            tokens, option = [*tokens, "--"], None
        tokens.append(token)
    return tokens


def pairs(settings: Sequence[str]) -> dict[str, str]:
    """Read ``key=value`` and ``key value`` settings.

    Raises:
        KpstraError: a key without a value.
    """
    found, tokens = {}, iter(settings)
    for token in tokens:
        key, equals, value = token.partition("=")
        if not equals:
            value = next(tokens, None)
        if value is None or not key:
            raise KpstraError(f"command line: {token}: expected key=value, or `key value`")
        found[key] = value
    return found


def run(host: type[Host], args: argparse.Namespace) -> int:
    """``run``."""
    section = read_table(args.table, host.section)
    args.data = args.data or section.data
    jobs = make_jobs(section, args.rows, args.seeds, args.results)
    outcomes = run_jobs(host(args, pairs(args.settings)), jobs, lambda line: print(line, flush=True))
    states = [outcome.state for outcome in outcomes]
    print(f"\n{', '.join(f'{states.count(state)} {state}' for state in (FINISHED, SKIPPED, FAILED))}")
    for outcome in outcomes:
        if outcome.state == FAILED:
            print(f"failed: {outcome.job}: {outcome.message}")
    print(f"the table: python -m {host.program} report --table {args.table} --results {args.results}")
    return 1 if FAILED in states else 0


def report(host: type[Host], args: argparse.Namespace) -> int:
    """``report``."""
    section = read_table(args.table, host.section)
    rows = section.chosen(args.rows)
    configs = list(dict.fromkeys(row.config for row in rows if row.config is not None))
    complexities = dict(zip(configs, host.complexities(configs), strict=True))
    lines = collect(section, rows, args.results, host.result, complexities)
    for path in write_report(section, lines, args.results, args.output or args.results / section.name):
        print(path)
    print(f"{sum(bool(line.results) for line in lines)} of {len(lines)} rows measured")
    return 0


def cards(host: type[Host], args: argparse.Namespace) -> int:
    """``cards``."""
    paths = write_cards(host, args.configs, args.output, args.results)
    print(f"{len(paths)} cards in {args.output}")
    return 0
