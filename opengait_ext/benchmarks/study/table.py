"""The table of a study: rows, trainings and tests, from a checked YAML file."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from plugins.benchmarks.robustness import Disturbance
from plugins.common.settings import get_value, in_one_line, known_keys, read_yaml, refuse_taken, resolve_config
from plugins.errors import KpstraError, nearest

from ...settings.load import recipe
from ..walkers import Settings

NAME = re.compile(r"\w[\w.-]*")  # of what gives a file its name
ROW_KEYS = ("label", "config", "set", "control", "warm_start", "trained", "append")
WANTED = {int: (int, "a whole number"), str: (str, "text")}  # of a setting of the walkers, by its default's type
TEST_KEYS = ("label", "error", "severity", "walkers")
TAKEN = {  # what a study gives itself, and what is given in its place
    "trainer_cfg.seed": "give --seeds",
    "trainer_cfg.restore_hint": "a row starts from random weights, whatever its configuration says, or with "
    "`warm_start: ROW` from those of a row above it",
    "trainer_cfg.save_iter": "weights are kept at a run's end alone",
    "trainer_cfg.save_name": "a run is named by its row, training and seed; give --output",
    "trainer_cfg.with_test": "every run is tested at its end; see `tests`",
    "data_cfg.dataset_root": "give --data",
    "data_cfg.dataset_partition": "it follows from `walkers`",
    "evaluator_cfg.restore_hint": "the weights of a run's end are tested",
    "evaluator_cfg.save_name": "a run is named by its row, training and seed; give --output",
}
SECTIONS = ("title", "frames", "trainings", "tests", "rows")


@dataclass(frozen=True)
class Row:
    """One network: its configuration and what is set in it.

    ``control`` names the row that it is compared with, ``warm_start`` the row whose weights it starts from; a row that
    is not ``trained`` is tested as it is built. ``append`` adds items to lists, after what the training sets there.
    """

    name: str
    label: str
    config: str
    set: Mapping[str, Any] = field(default_factory=dict)
    control: str | None = None
    warm_start: str | None = None
    trained: bool = True
    append: Mapping[str, list] = field(default_factory=dict)


@dataclass(frozen=True)
class Test:
    """One test of the same people: a kind of error of ``robustness`` at a severity, or other walkers' settings."""

    name: str
    label: str
    error: str | None = None
    severity: float = 0.0
    walkers: Mapping[str, Any] = field(default_factory=dict)
    __test__ = False  # not one of pytest's

    def definition(self) -> dict[str, Any]:
        """Return what the test does, without how it is called."""
        return {"error": self.error, "severity": self.severity, "walkers": dict(self.walkers)}


@dataclass(frozen=True)
class Study:
    """A whole table. ``set`` goes into every row's configuration, then the training's, then the row's own."""

    title: str
    walkers: Settings
    frames: int  # of each test sequence, evenly spread
    set: Mapping[str, Any]
    trainings: Mapping[str, Mapping[str, Any]]
    tests: tuple[Test, ...]
    rows: tuple[Row, ...]

    def row(self, name: str) -> Row:
        """Return the row of a name."""
        return next(row for row in self.rows if row.name == name)

    def test(self, name: str) -> Test:
        """Return the test of a name."""
        return next(test for test in self.tests if test.name == name)

    def overrides(self, row: Row, training: str, seed: int) -> list[str]:
        """Return what a run sets, as on a command line."""
        given = {**self.set, **self.trainings[training], **row.set, "trainer_cfg.seed": seed}
        for key, items in row.append.items():
            given[key] = [*(given[key] if key in given else get_value(recipe(row.config), key)), *items]
        return [f"{key}={in_one_line(value)}" for key, value in given.items()]


def read_study(name: str) -> Study:
    """Read a table.

    ``base`` names another table: its sections stand where this one has none, and its ``set`` goes before this one's.

    Args:
        name: a path, or the name of a shipped file (``study_walkers``).

    Raises:
        KpstraError: unreadable, an unknown or missing key, a wrong value, a row or a configuration that does not exist.
    """
    path = resolve_config(name)
    content = _with_base(path)
    if type(content["frames"]) is not int or content["frames"] < 1:
        raise KpstraError(f"{path}: frames: {content['frames']!r}: expected a whole number from 1")
    trainings = {
        _name(key, f"{path}: trainings"): _settings(given, f"{path}: trainings.{key}")
        for key, given in _mapping(content["trainings"], f"{path}: trainings").items()
    }
    if not trainings:
        raise KpstraError(f"{path}: trainings: empty; `aligned: {{}}` trains every row as its configuration says")
    return Study(
        str(content["title"]),
        walkers_of(content.get("walkers"), f"{path}: walkers"),
        content["frames"],
        _settings(content.get("set"), f"{path}: set"),
        trainings,
        tuple(_test(key, given, f"{path}: tests.{key}") for key, given in _items(content, "tests", path)),
        _rows(content, path),
    )


def walkers_of(given: Any, where: str, base: Settings | None = None) -> Settings:
    """Return the walkers' settings with some of them given, checked."""
    given = _mapping(given, where)
    known_keys(given, [one.name for one in fields(Settings) if one.name != "raw"], where)
    base = base or Settings()
    for key, value in given.items():
        before = getattr(base, key)
        wanted, name = WANTED.get(type(before), ((int, float), "a number"))
        if not isinstance(value, wanted) or isinstance(value, bool):
            raise KpstraError(f"{where}.{key}: {value!r}: expected {name}")
    settings = Settings(**{**{one.name: getattr(base, one.name) for one in fields(Settings)}, **given})
    try:
        settings.check()
    except KpstraError as error:
        raise KpstraError(f"{where}: {error}") from error
    return settings


def chosen(given: Sequence[str], known: Sequence[str], option: str) -> list[str]:
    """Return the names asked for in the table's order; all for none.

    Raises:
        KpstraError: an unknown name.
    """
    for name in given:
        if name not in known:
            raise KpstraError(f"{option} {name}: not in the table{nearest(name, known)}; there are {', '.join(known)}")
    return [name for name in known if not given or name in given]


def _with_base(path: Path) -> dict[str, Any]:
    content = read_yaml(path)
    known_keys(content, (*SECTIONS, "walkers", "set", "base"), str(path))
    if (base := content.pop("base", None)) is not None:
        below = read_yaml(resolve_config(base)) if isinstance(base, str) else None
        if below is None or "base" in below:
            raise KpstraError(f"{path}: base: {base!r}: expected the name of a table that has no `base` itself")
        known_keys(below, (*SECTIONS, "walkers", "set"), str(resolve_config(base)))
        both = {**_mapping(below.get("set"), f"{base}: set"), **_mapping(content.get("set"), f"{path}: set")}
        content = {**below, **content, "set": both}
    known_keys(content, ("walkers", "set"), str(path), required=SECTIONS)
    return content


def _rows(content: Mapping[str, Any], path: Path) -> tuple[Row, ...]:
    rows: list[Row] = []
    for key, given in _items(content, "rows", path):
        where, above = f"{path}: rows.{key}", [row.name for row in rows]
        known_keys(given, ROW_KEYS, where, required=("config",))
        for name in ("control", "warm_start"):
            if given.get(name) is not None and given[name] not in above:
                raise KpstraError(
                    f"{where}.{name}: {given[name]!r}: expected the name of a row above it{nearest(given[name], above)}"
                )
        if not isinstance(given.get("trained", True), bool):
            raise KpstraError(f"{where}.trained: {given['trained']!r}: expected true or false")
        try:
            resolve_config(str(given["config"]), "opengait")
        except KpstraError as error:
            raise KpstraError(f"{where}.config: {error}") from error
        append = _settings(given.get("append"), f"{where}.append")
        for name, items in append.items():
            if not isinstance(items, list):
                raise KpstraError(f"{where}.append.{name}: {items!r}: expected a list, which is added to another")
        row = Row(_name(key, f"{path}: rows"), str(given.get("label", key)), str(given["config"]))
        others = {k: given[k] for k in ("control", "warm_start", "trained") if k in given} | {"append": append}
        rows.append(Row(row.name, row.label, row.config, _settings(given.get("set"), f"{where}.set"), **others))
    return tuple(rows)


def _test(key: Any, given: Any, where: str) -> Test:
    known_keys(given, TEST_KEYS, where)
    if ("error" in given) != ("severity" in given):
        raise KpstraError(f"{where}: `error` and `severity` go together; neither is the undisturbed test")
    error, severity = given.get("error"), given.get("severity", 0.0)
    if type(severity) not in (int, float):
        raise KpstraError(f"{where}.severity: {severity!r}: expected a number from 0")
    if error is not None:
        try:
            Disturbance.of(error, severity)
        except KpstraError as wrong:
            raise KpstraError(f"{where}: {wrong}") from wrong
    walkers = _mapping(given.get("walkers"), f"{where}.walkers")
    for name in ("identities", "train", "sequences", "seed"):
        if name in walkers:
            raise KpstraError(f"{where}.walkers.{name}: a test shows the same people; change it in `walkers`")
    walkers_of(walkers, f"{where}.walkers")
    return Test(_name(key, where), str(given.get("label", key)), error, float(severity), walkers)


def _items(content: Mapping[str, Any], section: str, path: Path) -> list[tuple[Any, Any]]:
    given = _mapping(content[section], f"{path}: {section}")
    if not given:
        raise KpstraError(f"{path}: {section}: empty")
    return [(key, _mapping(value, f"{path}: {section}.{key}")) for key, value in given.items()]


def _settings(given: Any, where: str) -> dict[str, Any]:
    given = _mapping(given, where)
    refuse_taken(given, TAKEN, where)
    return given


def _mapping(given: Any, where: str) -> dict[str, Any]:
    if given is None:
        return {}
    if not isinstance(given, dict):
        raise KpstraError(f"{where}: {given!r}: expected keys and values")
    return given


def _name(key: Any, where: str) -> str:
    if not isinstance(key, str) or not NAME.fullmatch(key):
        raise KpstraError(f"{where}: {key!r}: files are named so: expected letters, digits, _, - and .")
    return key
