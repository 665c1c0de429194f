"""The page of all models: tables made from the configurations, the leaderboards and the networks."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from ...common.pages import line, write_part
from ...common.settings import known_keys, read_yaml
from ...errors import KpstraError
from .host import Complexity, Host
from .table import FOLDERS, Row, Section, read_table

TABLES = tuple(
    f"leaderboard{of}.yaml"
    for of in ("", "_keypoints", "_pets", "_walkers", "_grew", "_oumvlp", "_casiab", "_sustech1k", "_ccpg")
)
DATA_FILE, DATA_KEYS = "data.yaml", ("configs", "name", "needed", "obtained")
COLUMNS = ("configuration", "what it is", "model", "published", "training", "start", "parameters (M)", "MACs (G)")
Count = Callable[[Sequence[Row]], Sequence[Complexity]]


def write_models(host: type[Host], configs: Path, page: Path, count: Count | None = None) -> int:
    """Write a host's part of the page, leaving the other's as it is; return the number of models.

    Args:
        configs: the folder of the configurations, with the leaderboards' tables and ``data.yaml``.
        page: the Markdown file.
        count: how parameters and multiply-accumulates are counted; by default on built networks.

    Raises:
        KpstraError: a file is missing or wrong, or ``data.yaml`` describes no data for a configuration.
    """
    rows = models(host, configs)
    counted = dict(zip((row.name for row in rows), (count or host.complexities)(rows), strict=True))
    write_part(page, "# Models\n", f"{host.program} models", host_part(host, configs, rows, counted))
    return len(rows)


def models(host: type[Host], configs: Path) -> list[Row]:
    """Return a row for each configuration, and those of the leaderboards that set something else in one."""
    folder = configs / FOLDERS[host.section]
    paths = sorted(folder.glob("*.yaml"))
    if not paths:
        raise KpstraError(f"--configs {configs}: no {folder.name}/*.yaml there; name the folder of the configurations")
    tables = [configs / name for name in TABLES if (configs / name).is_file()]
    sections = [read_table(str(path), host.section) for path in tables if host.section in read_yaml(path)]
    rows = [row for section in sections for row in section.rows]
    published = {row.config: row for row in rows if row.paper and row.config and not row.set}
    recipes = []
    for path in paths:
        found = published.get(f"{folder.name}/{path.stem}")
        numbers = {"tables": found.tables, "paper": headed(found, sections)} if found else {}
        recipes.append(Row(path.stem, what(path), config=str(path), **numbers))
    return recipes + [row for row in rows if row.set]


def headed(row: Row, sections: Sequence[Section]) -> Mapping[str, float]:
    """Return a row's published metrics by their headings."""
    metrics = next(section.metrics for section in sections if row in section.rows)
    return {metrics[name]: value for name, value in row.paper.items()}


def host_part(host: type[Host], configs: Path, rows: Sequence[Row], counted: Mapping[str, Complexity]) -> list[str]:
    """Return the lines of a host's part: how to train, then a table for each data set."""
    lines = [f"## {host.title}", "", host.usage, ""]
    data = read_data(configs / DATA_FILE)
    of = {row.name: data_of(data, f"{FOLDERS[host.section]}/{Path(row.config).stem}") for row in rows}
    for entry in data:
        here = [row for row in rows if of[row.name] is entry]
        if here:
            lines += [f"### {entry['name']}", "", f"{entry['needed']} {entry['obtained']}", ""]
            lines += [line(COLUMNS), line(["---"] * len(COLUMNS))]
            lines += [*(line(cells(host, row, counted[row.name])) for row in here), ""]
    return lines[:-1]


def cells(host: type[Host], row: Row, complexity: Complexity) -> list[str]:
    """Return the cells of one model."""
    says = host.describe(row)
    recipe = Path(row.config)
    link = f"[{recipe.stem}](../configs/{FOLDERS[host.section]}/{recipe.stem}.yaml)"
    named = f"row `{row.name}`: {link} with {', '.join(f'`{key}={value}`' for key, value in row.set.items())}"
    return [
        named if row.set else link,
        row.label,
        f"`{says.model}`",
        ", ".join(f"{metric} {value}" for metric, value in row.paper.items()),
        says.schedule,
        says.start,
        f"{complexity.parameters / 1e6:.4g}",
        f"{complexity.macs / 1e9:.4g}",
    ]


def what(path: Path) -> str:
    """Return the comment that a configuration begins with."""
    first = path.read_text(encoding="utf-8").partition("\n")[0]
    if not first.startswith("#"):
        raise KpstraError(f"{path}: begins without a comment; the page of models says what that line says")
    return first.lstrip("# ")


def read_data(path: Path) -> list[dict[str, Any]]:
    """Read the descriptions of the data sets."""
    entries = read_yaml(path).get("data")
    for i, entry in enumerate(entries if isinstance(entries, list) else [None]):
        known_keys(entry, DATA_KEYS, f"{path}: data.{i}", DATA_KEYS)
    return entries


def data_of(entries: Sequence[Mapping[str, Any]], config: str) -> Mapping[str, Any]:
    """Return the first entry with a pattern that a configuration's name fits."""
    for entry in entries:
        if any(fnmatch(config, pattern) for pattern in entry["configs"]):
            return entry
    raise KpstraError(f"{DATA_FILE}: no entry fits {config}; add one that says what data it needs")
