"""The partition file: which identities train and which test, and which sequences are probes."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

from plugins.errors import KpstraError

SETS = ("TRAIN_SET", "TEST_SET", "PROBE_SET")


def read_partition(path: str | Path) -> dict[str, list[str]]:
    """Read ``TRAIN_SET`` and ``TEST_SET``, identities, and ``PROBE_SET``, names ``<id>-<type>-<view>``, if there.

    Raises:
        KpstraError: unreadable, a set that is missing, no list of texts, names something twice, or an identity both
            trained on and tested with; the hosts would count such sequences twice, or report numbers of known people.
    """
    try:
        content = json.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        reason = " ".join(str(error).split())[:200]
        raise KpstraError(f"{path}: not a readable partition ({reason}); expected JSON such as OpenGait's") from error
    if not isinstance(content, dict):
        raise KpstraError(f"{path}: a {type(content).__name__}, expected {{'TRAIN_SET': [...], 'TEST_SET': [...]}}")
    for name in SETS:
        names = content.get(name, [] if name == "PROBE_SET" else None)
        if not isinstance(names, list) or not all(isinstance(one, str) for one in names):
            raise KpstraError(f'{path}: {name}: expected a list of names in quotes, such as "0001"')
        twice = [one for one, times in Counter(names).items() if times > 1]
        if twice:
            raise KpstraError(f"{path}: {name}: {_some(twice)} listed more than once; list each once")
    both = sorted(set(content["TRAIN_SET"]) & set(content["TEST_SET"]))
    if both:
        raise KpstraError(f"{path}: {_some(both)} in both TRAIN_SET and TEST_SET; test with people not trained on")
    return content


def _some(names: list[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
