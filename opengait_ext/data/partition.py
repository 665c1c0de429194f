"""The partition file: which identities train and which test, and which sequences are probes."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

from plugins.common.files import atomic_write
from plugins.errors import KpstraError

SETS = ("TRAIN_SET", "TEST_SET", "PROBE_SET")
MIN_GALLERY = 10  # evaluate_Gait3D reports rank 10

Sets = dict[str, list[str]]


def read_partition(path: str | Path) -> Sets:
    """Read a partition that runs can use, as :func:`read_sets` does.

    Raises:
        KpstraError: besides, a set that names something twice, an identity both trained on and tested with, or a probe
            of another form; the hosts would count such sequences twice, or report numbers of known people.
    """
    sets = read_sets(path)
    for name in SETS:
        twice = [one for one, times in Counter(sets.get(name, [])).items() if times > 1]
        if twice:
            raise KpstraError(f"{path}: {name}: {some(twice)} listed more than once; list each once")
    if both := sorted(set(sets["TRAIN_SET"]) & set(sets["TEST_SET"])):
        raise KpstraError(f"{path}: {some(both)} in both TRAIN_SET and TEST_SET; test with people not trained on")
    if short := [name for name in sets.get("PROBE_SET", []) if name.count("-") < 2 or not all(name.split("-"))]:
        raise KpstraError(
            f"{path}: PROBE_SET: {some(short)}: expected <id>-<type>-<view>, such as 0002-camid33_videoid2-seq0"
        )
    return sets


def read_sets(path: str | Path) -> Sets:
    """Read ``TRAIN_SET`` and ``TEST_SET``, identities, and ``PROBE_SET``, names ``<id>-<type>-<view>``, if there.

    Raises:
        KpstraError: unreadable, a set that is missing, or no list of texts.
    """
    try:
        content = json.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        reason = " ".join(str(error).split())[:200]
        if "BOM" in reason:
            reason = "it begins with a byte order mark; save it as UTF-8 without one"
        raise KpstraError(f"{path}: not a readable partition ({reason}); expected JSON such as OpenGait's") from error
    if not isinstance(content, dict):
        raise KpstraError(f"{path}: a {type(content).__name__}, expected {{'TRAIN_SET': [...], 'TEST_SET': [...]}}")
    for name in SETS:
        names = content.get(name, [] if name == "PROBE_SET" else None)
        if not isinstance(names, list) or not all(isinstance(one, str) for one in names):
            raise KpstraError(f'{path}: {name}: expected a list of names in quotes, such as "0001"')
    return content


def write_partition(path: str | Path, sets: Sets, overwrite: bool = False) -> None:
    """Write a partition whole; one that is there and differs is kept unless ``overwrite``.

    Raises:
        KpstraError: another file is there, or it cannot be written.
    """
    path, text = Path(path), json.dumps(sets, indent=1) + "\n"
    if path.exists() and not overwrite and not (path.is_file() and path.read_text(encoding="utf-8") == text):
        raise KpstraError(f"{path}: is there already and differs; give another --output, or --overwrite")
    with atomic_write(path, "w") as stream:
        stream.write(text)


def some(names: list[str]) -> str:
    """The first three names, and how many more there are."""
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
