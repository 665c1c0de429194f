"""Model cards: one Markdown file for each configuration, made from the YAML files, the network and the runs' logs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from ...common.files import atomic_write
from ...common.settings import read_yaml
from ...errors import KpstraError
from .host import Complexity, Host
from .report import NOT_MEASURED
from .summary import Line, collect
from .table import Row, Section, read_table

TABLES = ("leaderboard.yaml", "leaderboard_pets.yaml")
DATA_FILE, DATA_KEYS = "data.yaml", ("configs", "name", "root", "needed", "obtained")
REPORT = "report"  # an optional key: the page of what was measured on this data, as seen from a card
FOLDERS = {"reid": "reid", "gait": "opengait"}  # of the configurations


def write_cards(host: type[Host], configs: Path, output: Path, results: Path | None = None) -> list[Path]:
    """Write the card of each of a host's configurations.

    Args:
        configs: the folder of the configurations, with the leaderboards' tables and ``data.yaml``.
        output: where the cards go.
        results: finished runs below it are quoted.

    Raises:
        KpstraError: a file is missing or wrong, or ``data.yaml`` describes no data for a configuration.
    """
    paths = sorted((configs / FOLDERS[host.section]).glob("*.yaml"))
    if not paths:
        raise KpstraError(
            f"--configs {configs}: no {FOLDERS[host.section]}/*.yaml there; name the folder of the configurations"
        )
    sections = [read_table(str(configs / name), host.section) for name in TABLES]
    data, written = read_data(configs / DATA_FILE), []
    for path, complexity in zip(paths, host.complexities([str(path) for path in paths]), strict=True):
        name = f"{path.parent.name}/{path.stem}"
        found = find_row(sections, name)
        line = found and measured_line(host, *found, results)
        text = card(host, path, data_of(data, name), complexity, found and found[0], line)
        with atomic_write(output / f"{path.stem}.md") as stream:
            stream.write(text.encode())
        written.append(output / f"{path.stem}.md")
    return written


def card(
    host: type[Host],
    path: Path,
    data: Mapping[str, Any],
    complexity: Complexity,
    section: Section | None,
    line: Line | None,
) -> str:
    """Return one card."""
    name = f"configs/{path.parent.name}/{path.name}"
    says = host.describe(path, name, data["root"])
    return "\n".join(
        [
            f"# {path.stem}",
            "",
            what(path),
            "",
            f"Configuration: [`{name}`](../../{name}). Model: {says.model}.",
            "",
            "## Numbers",
            "",
            *numbers(section, line, data.get(REPORT)),
            "",
            "## Data",
            "",
            f"**{data['name']}.** {data['needed']} {data['obtained']}",
            "",
            "## Train and test",
            "",
            "```",
            says.train,
            says.test,
            "```",
            "",
            f"Starts from {says.start}.",
            "",
            "## Cost",
            "",
            "| | |",
            "|---|---|",
            f"| parameters, without the identity classifier | {complexity.parameters / 1e6:.4g} M |",
            f"| multiply-accumulates, {says.input} | {complexity.macs / 1e9:.4g} G |",
            f"| training | {says.schedule} |",
            f"| time and hardware | {time_and_hardware(line, data.get(REPORT))} |",
            "",
        ]
    )


def what(path: Path) -> str:
    """Return the comment that a configuration begins with."""
    lines = []
    for line in path.read_text(encoding="utf-8").splitlines():
        if not line.startswith("#"):
            break
        lines.append(line.lstrip("# "))
    if not lines:
        raise KpstraError(f"{path}: begins without a comment; its card says what that line says")
    return " ".join(lines)


def numbers(section: Section | None, line: Line | None, report: str | None) -> list[str]:
    """Return the table of published and measured metrics, or where measured ones are reported."""
    if section is None or line is None:
        return [
            f"None published; what was measured is in [{Path(report).name}]({report})."
            if report
            else f"None published; {NOT_MEASURED}."
        ]
    tables = f" (Table{'s' if len(line.row.tables) > 1 else ''} {', '.join(map(str, line.row.tables))})"
    table = [f"| {section.title} | paper{tables if line.row.tables else ''} | measured | seeds |", "|---|---|---|---|"]
    for metric, title in section.metrics.items():
        mean = line.measured(metric)
        published = line.row.paper.get(metric, "not published")
        table.append(f"| {title} | {published} | {mean or NOT_MEASURED} | {mean.count if mean else 0} |")
    changed = sorted(set(line.changed.values()))
    return [
        *table,
        *(["", f"Measured with other settings than the configuration's: {'; '.join(changed)}."] if changed else []),
    ]


def time_and_hardware(line: Line | None, report: str | None) -> str:
    """Return the mean training time of the runs whose logs say it, or where it is reported."""
    timed = [result for result in (line.results.values() if line else ()) if result.seconds is not None]
    if not timed:
        return f"in [{Path(report).name}]({report})" if report and line is None else NOT_MEASURED
    seconds = sum(result.seconds for result in timed) / len(timed)
    spent = f"{seconds:.0f} seconds" if seconds < 120 else f"{seconds / 60:.0f} minutes"
    devices = ", ".join(sorted({result.device or "device not in the log" for result in timed}))
    return f"{spent} on {devices}, mean of {len(timed)} run{'s' if len(timed) > 1 else ''}"


def find_row(sections: Sequence[Section], config: str) -> tuple[Section, Row] | None:
    """Return the row whose configuration this is, with its table."""
    found = [(section, row) for section in sections for row in section.rows if row.config == config]
    return found[0] if found else None


def measured_line(host: type[Host], section: Section, row: Row, results: Path | None) -> Line:
    """Return a row with its finished runs; without ``results`` there are none."""
    return collect(section, [row], results, host.result, {})[0] if results else Line(row, {}, {})


def read_data(path: Path) -> list[dict[str, Any]]:
    """Read the descriptions of the data sets."""
    entries = read_yaml(path).get("data")
    for entry in entries if isinstance(entries, list) else [None]:
        if not isinstance(entry, dict) or set(entry) - {REPORT} != set(DATA_KEYS):
            raise KpstraError(
                f"{path}: data: {entry!r}: expected a list of entries with {', '.join(DATA_KEYS)} and, "
                f"if there is one, {REPORT}"
            )
    return entries


def data_of(entries: Sequence[Mapping[str, Any]], config: str) -> Mapping[str, Any]:
    """Return the first entry with a pattern that a configuration's name fits."""
    for entry in entries:
        if any(fnmatch(config, pattern) for pattern in entry["configs"]):
            return entry
    raise KpstraError(f"{DATA_FILE}: no entry fits {config}; add one that says what data it needs")
