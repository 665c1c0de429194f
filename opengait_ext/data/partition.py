"""The partition file: which identities train and which test, and which sequences are probes."""

from __future__ import annotations

import fnmatch
import json
import math
import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from plugins.common.files import write_json
from plugins.errors import KpstraError, some

SETS = ("TRAIN_SET", "TEST_SET", "PROBE_SET")
GALLERY = "GALLERY_SET"  # of CCGR-MINI's, in place of PROBE_SET
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
    path = Path(path)
    if path.exists() and not overwrite and not (path.is_file() and read_sets(path) == sets):
        raise KpstraError(f"{path}: is there already and differs; give another --output, or --overwrite")
    write_json(path, sets)


def split(names: Sequence[str], train: str, probes: str) -> Sets:
    """Make a partition of a prepared data set.

    Args:
        names: ``<id>/<type>/<view>`` of every sequence.
        train: who trains, the others test: a number of identities or a share of them below 1, taken in the order of
            names; or their names, with commas between them or in a file, one a line. A number that begins with a zero
            is a name, and so is one with a comma after it.
        probes: which sequences of each test identity are probes, the others are the gallery: a number, the first in
            the order of names, of which one at least is left for the gallery; or a pattern of
            ``<id>-<type>-<view>`` such as ``*-nm-05-*``.

    Raises:
        KpstraError: nobody is left to train or to test, a name that is not in the data, or no probe.
    """
    people: dict[str, list[str]] = {}
    for name in sorted(names):
        people.setdefault(name.split("/")[0], []).append(name.replace("/", "-"))
    trained = _chosen(train, list(people))
    training = set(trained)
    tested = [identity for identity in people if identity not in training]
    if not trained or not tested:
        raise KpstraError(
            f"--train {train}: leaves {len(trained)} of {len(people)} identities to train and {len(tested)} to test; "
            "both need some"
        )
    if probes.isdecimal():
        chosen = [name for one in tested for name in people[one][: max(min(int(probes), len(people[one]) - 1), 0)]]
    else:
        chosen = [name for one in tested for name in fnmatch.filter(people[one], probes)]
    if not chosen:
        first = people[tested[0]][0]
        raise KpstraError(
            f"--probes {probes}: no sequence of a test identity; give a number that leaves each of them one for the "
            f"gallery, or a pattern of names such as {first}"
        )
    return {"TRAIN_SET": trained, "TEST_SET": tested, "PROBE_SET": chosen}


def _chosen(train: str, people: list[str]) -> list[str]:
    if train.isdecimal() and (train == "0" or not train.startswith("0")):
        return people[: int(train)]
    try:
        share = float(train)
    except ValueError:
        share = math.nan
    if 0 < share < 1:
        return people[: round(share * len(people))]
    known, wanted = set(people), {name: None for name in map(str.strip, _names(train, people)) if name}
    if unknown := [name for name in wanted if name not in known]:
        raise KpstraError(
            f"--train {train}: {some(unknown)} not in the data; expected a number, a share below 1, names such as "
            f"{','.join(people[:2])}, or a file with one name a line"
        )
    return [name for name in people if name in wanted]


def _names(train: str, people: list[str]) -> list[str]:
    """The names in a file, or those that are given with commas between them."""
    if train in people:
        return [train]
    if not os.path.isfile(train):  # Path.is_file raises where a list of names is longer than a file's name may be
        return train.split(",")
    try:
        return Path(train).read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise KpstraError(f"--train {train}: not readable as text: {error}") from error


def restricted(sets: Sets, names: Sequence[str], source: str | Path) -> Sets:
    """Keep of a published partition what is in the data, ``names`` as in :func:`split`."""
    people, joined = {name.split("/")[0] for name in names}, {name.replace("/", "-") for name in names}
    there = {"TRAIN_SET": people, "TEST_SET": people, "PROBE_SET": joined}
    if GALLERY in sets:
        there[GALLERY] = joined
    kept = {key: [one for one in sets.get(key, []) if one in present] for key, present in there.items()}
    if not kept["TRAIN_SET"] and not kept["TEST_SET"]:
        raise KpstraError(f"{source}: none of its identities is in the data; there they are {some(sorted(people))}")
    return kept


def summary(sets: Sets, names: Sequence[str]) -> str:
    """Return how many there are of each, and what a test would miss."""
    tested, probes = set(sets["TEST_SET"]), set(sets["PROBE_SET"])
    if GALLERY in sets:
        joined = {name.replace("/", "-") for name in names if name.split("/")[0] in tested}
        probes = joined - set(sets[GALLERY])
    gallery = [name.split("/")[0] for name in names if name.replace("/", "-") not in probes]
    gallery = [identity for identity in gallery if identity in tested]
    alone = sorted(tested - set(gallery))
    few = f"; evaluate_Gait3D needs at least {MIN_GALLERY}" if len(gallery) < MIN_GALLERY else ""
    return (
        f"{len(sets['TRAIN_SET'])} training identities, {len(tested)} test identities, {len(probes)} probes, "
        f"{len(gallery)} gallery sequences{few}" + (f"; without a gallery sequence: {some(alone)}" if alone else "")
    )
