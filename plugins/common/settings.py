"""Settings: mappings read from YAML, values by dotted key, and keys that are not known."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from importlib import resources
from pathlib import Path
from typing import Any

import yaml

from ..errors import KpstraError, nearest


def resolve_config(name: str | os.PathLike, folder: str = "") -> Path:
    """Find a configuration: as a path from the working directory, then among those of the installed package.

    ``configs/reid/x.yaml``, ``reid/x.yaml`` and ``reid/x`` all name the shipped ``configs/reid/x.yaml``, and so does
    ``x`` where ``folder`` is ``reid``.

    Args:
        name: as the user gave it.
        folder: of the shipped ones that fit: ``reid``, ``opengait``, or none for the tables of leaderboards.

    Raises:
        KpstraError: no such file; the message holds the nearest shipped name that fits, or the row of that name.
    """
    path = Path(name)
    if path.is_file():
        return path
    shipped = Path(str(resources.files("kpstra_configs")))
    relative = Path(*path.parts[1:]) if path.parts[:1] == ("configs",) else path
    for candidate in (relative, Path(f"{relative}.yaml"), folder / relative, folder / Path(f"{relative}.yaml")):
        if not relative.is_absolute() and (shipped / candidate).is_file():
            return shipped / candidate
    stem = relative.name.removesuffix(".yaml")
    hint = _row_hint(shipped, folder, stem) if folder else ""
    if path.is_dir() and not hint:
        raise KpstraError(f"{name}: is a folder; give a YAML file, or the name of a shipped configuration")
    names = sorted(found.stem for found in (shipped / folder).glob("*.yaml" if folder else "leaderboard*.yaml"))
    hint = hint or nearest(stem, names) or f"; shipped are {', '.join(names)}"
    raise KpstraError(f"{name}: no such configuration, neither from the working directory nor shipped{hint}")


def _row_hint(shipped: Path, folder: str, name: str) -> str:
    """Say how to get what a leaderboard's row of this name sets in a configuration."""
    for table in sorted(shipped.glob("leaderboard*.yaml")):
        for section in read_yaml(table).values():
            for row in section["rows"]:
                if row["name"] == name and str(row["config"]).startswith(f"{folder}/"):
                    sets = "".join(f" {key}={value}" for key, value in row.get("set", {}).items())
                    return f"; it is a row of {table.stem}: {row['config']}{sets}"
    return ""


def read_yaml(path: str | Path, expected: str = "keys and values") -> dict[str, Any]:
    """Read a YAML file with a mapping at its top; an empty file is an empty mapping.

    Args:
        path: of the file.
        expected: what belongs there, for the message.

    Raises:
        KpstraError: unreadable, not YAML (names line and column), a key with two values, or no mapping.
    """
    try:
        content = yaml.load(Path(path).read_text(encoding="utf-8-sig"), _Loader)
    except OSError as error:
        raise KpstraError(f"{path}: cannot be read: {error.strerror}") from error
    except (ValueError, RecursionError, yaml.YAMLError) as error:
        raise KpstraError(f"{path}: not readable as YAML: {' '.join(str(error).split())[:300]}") from error
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise KpstraError(f"{path}: expected {expected}, found {content!r:.100}")
    return content


class _Loader(yaml.SafeLoader):
    """Refuses a key that stands twice in one section with two values, of which YAML would take the last."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict:
        seen: dict[str, yaml.Node] = {}
        for key, value in node.value:
            first = seen.setdefault(str(key.value), value)
            if first is not value and yaml.serialize(first) != yaml.serialize(value):
                lines = f"lines {first.start_mark.line + 1} and {value.start_mark.line + 1}"
                raise yaml.constructor.ConstructorError(problem=f"{key.value} has two values, in {lines}")
        return super().construct_mapping(node, deep)


def in_one_line(value: Any) -> str:
    """Return a value as YAML in one line, as it stands behind ``key=``."""
    return yaml.safe_dump(value, default_flow_style=True, width=10**6).removesuffix("\n").removesuffix("\n...")


def flatten(settings: Any, lists: bool = False, key: str = "") -> dict[str, Any]:
    """Return the values by dotted key; a list is one value, or with ``lists`` its items go by their number.

    >>> flatten({"a": {"b": 1, "c": [2, 3]}})
    {'a.b': 1, 'a.c': [2, 3]}

    An empty section is a value.
    """
    if isinstance(settings, Mapping) and settings:
        items: Iterable = settings.items()
    elif lists and isinstance(settings, list) and settings:
        items = enumerate(settings)
    else:
        return {key: settings} if key else {}
    return {
        path: value
        for name, node in items
        for path, value in flatten(node, lists, f"{key}.{name}" if key else str(name)).items()
    }


def get_value(settings: Mapping[str, Any], key: str) -> Any:
    """Return the value of a dotted key; a list's items go by their number.

    Raises:
        KeyError: there is none.
    """
    node: Any = settings
    for part in key.split("."):
        if isinstance(node, list) and part.isdigit() and int(part) < len(node):
            node = node[int(part)]
        elif isinstance(node, Mapping) and part in node:
            node = node[part]
        else:
            raise KeyError(key)
    return node


def set_value(settings: dict[str, Any], key: str, value: Any, source: str = "command line") -> None:
    """Set the value of a dotted key in place; missing sections are made, a list's items go by their number.

    Args:
        settings: are changed.
        key: such as ``loss_cfg.0.margin``.
        value: is put there.
        source: where key and value come from, for the message.

    Raises:
        KpstraError: the key leads through something that is no section, or to no item of a list.
    """
    *parents, last = key.split(".")
    node: Any = settings
    for depth, part in enumerate(parents):
        if isinstance(node, list):
            part = _position(node, part, key, source)
        elif node.get(part) is None:
            node[part] = {}
        node = node[part]
        if not isinstance(node, (dict, list)):
            raise KpstraError(f"{source}: {key}: {'.'.join(parents[: depth + 1])} is {node!r}, no section")
    node[_position(node, last, key, source) if isinstance(node, list) else last] = value


def _position(items: list, part: str, key: str, source: str) -> int:
    if not part.isdigit() or int(part) >= len(items):
        expected = f"a number from 0 to {len(items) - 1}" if items else "nothing: the list is empty"
        raise KpstraError(f"{source}: {key}: {part!r}: expected {expected}")
    return int(part)


def over_defaults(given: Any, defaults: Mapping[str, Any], where: str) -> dict[str, Any]:
    """Return a section of settings, none given being an empty one, over the defaults of all its keys.

    Raises:
        KpstraError: no section, or an unknown key.

    Example:
        >>> over_defaults({"num_heads": 4}, {"num_heads": 8}, "model_cfg.attention")
        {'num_heads': 4}
    """
    given = {} if given is None else given
    known_keys(given, defaults, where)
    return {**defaults, **given}


def known_keys(mapping: Any, known: Iterable[str], where: str, required: Iterable[str] = ()) -> None:
    """Refuse what is no mapping, keys that are not known, and keys that are missing.

    Args:
        mapping: what the user gave.
        known: keys that may stand there.
        where: file and section, for the message: ``configs/x.yaml: model_cfg``, or ``configs/x.yaml`` for its top.
        required: keys that must stand there.

    Raises:
        KpstraError: names the key, and the nearest known one.
    """
    if not isinstance(mapping, Mapping):
        raise KpstraError(f"{where}: {mapping!r}: expected keys and values")
    known = [*known, *required]
    prefix = f"{where}." if ": " in where else f"{where}: "
    for key in mapping:
        if key not in known:
            hint = nearest(key, known) or f"; known: {', '.join(map(str, dict.fromkeys(known)))}"
            raise KpstraError(f"{prefix}{key}: unknown key{hint}")
    missing = [key for key in required if key not in mapping]
    if missing:
        raise KpstraError(f"{where}: `{'`, `'.join(missing)}` {'is' if len(missing) == 1 else 'are'} missing")


def refuse_taken(given: Iterable[str], taken: Mapping[str, str], where: str) -> None:
    """Refuse keys that would be replaced without a word, as something else than settings gives their values.

    >>> refuse_taken(["train.lr"], {"train.seed": "give --seeds"}, "command line")

    Args:
        given: dotted keys.
        taken: what to give in the place of each key that may not be given.
        where: the file and section, or ``command line``, for the message.

    Raises:
        KpstraError: names the key, and what to do.
    """
    for key in given:
        if key in taken:
            raise KpstraError(f"{where}: {key}: has no effect here; {taken[key]}")
