"""The rows of a leaderboard: published numbers and the configuration that reproduces each, from a checked YAML file."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ...common.settings import in_one_line, known_keys, read_yaml, resolve_config
from ...errors import KpstraError, nearest

SECTION_KEYS = ("title", "source", "metrics", "data", "rows")
ROW_KEYS = ("name", "label", "tables", "config", "paper", "complexity", "warm_start", "control", "set")
COMPLEXITY_KEYS = ("parameters", "macs")
FOLDERS = {"reid": "reid", "gait": "opengait"}  # of each section's configurations


@dataclass(frozen=True)
class Row:
    """One line of a leaderboard.

    ``paper`` holds published metrics in percent by the host's names, ``complexity`` published ``parameters`` in
    millions and ``macs`` in G; ``config`` is ``None`` for a model that has no configuration here (paper-only),
    ``warm_start`` names the row whose trained weights this one starts from, ``control`` the row that it is compared
    with seed by seed, and ``set`` holds by dotted key what this row changes in its configuration: an ablation is a row,
    not a file.
    """

    name: str
    label: str
    tables: tuple[int, ...] = ()
    config: str | None = None
    paper: Mapping[str, float] = field(default_factory=dict)
    complexity: Mapping[str, float] = field(default_factory=dict)
    warm_start: str | None = None
    control: str | None = None
    set: Mapping[str, Any] = field(default_factory=dict)

    def overrides(self) -> list[str]:
        """Return what the row sets, as on a command line: ``key=value``, the value in YAML."""
        return [f"{key}={in_one_line(value)}" for key, value in self.set.items()]


@dataclass(frozen=True)
class Section:
    """A host's leaderboard; ``metrics`` maps the host's names to headings, ``data`` is its data's default folder."""

    name: str
    title: str
    source: str
    metrics: Mapping[str, str]
    rows: tuple[Row, ...]
    data: str | None = None

    def chosen(self, names: Sequence[str] = ()) -> list[Row]:
        """Return the rows of these names, in the table's order; all for no names.

        Raises:
            KpstraError: an unknown name; the message holds the nearest.
        """
        known = [row.name for row in self.rows]
        for name in names:
            if name not in known:
                raise KpstraError(
                    f"--rows {name}: no such row of {self.title}{nearest(name, known)}; there are {', '.join(known)}"
                )
        return [row for row in self.rows if not names or row.name in names]


def read_table(name: str, section: str) -> Section:
    """Read one host's section of a leaderboard file.

    Args:
        name: a path, or the name of a shipped file (``leaderboard``, ``leaderboard_pets``).
        section: ``reid`` or ``gait``.

    Raises:
        KpstraError: unreadable, an unknown or missing key, a wrong value, a configuration that does not exist.
    """
    path = resolve_config(name)
    content = read_yaml(path)
    if section not in content:
        raise KpstraError(f"{path}: no section {section!r}; there are {', '.join(map(str, content)) or 'none'}")
    where, given = f"{path}: {section}", content[section]
    known_keys(given, SECTION_KEYS, where, required=("title", "metrics", "rows"))
    known_keys(given["metrics"], given["metrics"], f"{where}.metrics")
    for name, heading in [*given["metrics"].items(), ("data", given.get("data", ""))]:
        if not isinstance(heading, str):
            raise KpstraError(f"{where}: {name}: {heading!r}: expected text")
    if not isinstance(given["rows"], list) or not given["rows"]:
        raise KpstraError(f"{where}.rows: {given['rows']!r}: expected a list of rows")
    rows = tuple(
        _row(row, given["metrics"], FOLDERS.get(section, ""), f"{where}.rows.{i}")
        for i, row in enumerate(given["rows"])
    )
    names = [row.name for row in rows]
    for row in rows:
        if names.count(row.name) > 1:
            raise KpstraError(f"{where}.rows: the name {row.name!r} is given twice")
        before = names[: names.index(row.name)]
        for key, other in (("warm_start", row.warm_start), ("control", row.control)):
            if other is not None and other not in before:
                expected = f"expected the name of a row above it{nearest(other, before)}"
                raise KpstraError(f"{where}.rows: {row.name}.{key}: {other!r}: {expected}")
        if row.warm_start is not None and rows[names.index(row.warm_start)].config is None:
            raise KpstraError(
                f"{where}.rows: {row.name}.warm_start: {row.warm_start!r}: a published number only, of which there are "
                "no weights; expected a row with a configuration"
            )
    return Section(
        section, str(given["title"]), str(given.get("source", "")), dict(given["metrics"]), rows, given.get("data")
    )


def _row(given: Any, metrics: Mapping[str, str], folder: str, where: str) -> Row:
    known_keys(given, ROW_KEYS, where, required=("name", "config"))
    where = f"{where} ({given['name']})"
    for key in ("name", "label", "config", "warm_start", "control"):
        if not isinstance(given.get(key), (str, type(None))) or (key == "name" and not given[key]):
            raise KpstraError(f"{where}.{key}: {given[key]!r}: expected text")
    if re.search(r"[/\\]|^\.", given["name"]):
        raise KpstraError(f"{where}.name: {given['name']!r}: a run's folder is named so: no / in it, no . before it")
    tables = given.get("tables", [])
    if not isinstance(tables, list) or not all(type(number) is int for number in tables):
        raise KpstraError(f"{where}.tables: {tables!r}: expected a list of numbers")
    numbers = {"paper": metrics, "complexity": COMPLEXITY_KEYS}
    for key, known in numbers.items():
        known_keys(given.get(key, {}), known, f"{where}.{key}")
        for name, value in given.get(key, {}).items():
            if type(value) not in (int, float) or not 0 <= value < math.inf:
                raise KpstraError(f"{where}.{key}.{name}: {value!r}: expected a number from 0")
    if given["config"] is not None:
        try:
            resolve_config(given["config"], folder)
        except KpstraError as error:
            raise KpstraError(f"{where}.config: {error}") from error
    return Row(
        given["name"],
        given.get("label") or given["name"],
        tuple(tables),
        given["config"],
        dict(given.get("paper", {})),
        dict(given.get("complexity", {})),
        given.get("warm_start"),
        given.get("control"),
        _set(given.get("set", {}), given["config"], f"{where}.set"),
    )


def _set(given: Any, config: str | None, where: str) -> dict[str, Any]:
    """Check what a row sets; whether the host knows the keys is checked when it merges them."""
    if given and config is None:
        raise KpstraError(f"{where}: a row without a configuration has nothing to set it in")
    if not isinstance(given, dict):
        raise KpstraError(f"{where}: {given!r}: expected dotted keys and their values")
    for key, value in given.items():
        if not isinstance(key, str) or isinstance(value, dict):
            raise KpstraError(f"{where}.{key}: {value!r}: expected a dotted key and its value, as in model.name: osnet")
    return dict(given)
