"""The one error type that users see, and the nearest-name hint that it carries."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable


class KpstraError(Exception):
    """A mistake in the user's input: the message names the file, key and value, and says what to do.

    Command lines print it as one line and exit with status 2; no traceback is shown.
    """


def plain(error: KpstraError) -> str:
    """Return the message; one from a data loader's worker process comes wrapped in that process's traceback."""
    return str(error).rstrip().rpartition("KpstraError: ")[2]


def nearest(name: str, options: Iterable[str]) -> str:
    """Return `` (did you mean 'x'?)`` for the closest of ``options``, or an empty string.

    What shares the words that are spelled right comes first: ``walkers_kprpe`` is rather ``walkers_swingait2d_kprpe``
    than ``walkers_swingait2d``.
    """
    close = closest(name, options)
    return f" (did you mean {close!r}?)" if close else ""


def closest(name: str, options: Iterable[str]) -> str | None:
    """Return the closest of ``options``, as :func:`nearest` says it, or ``None``."""
    options = [str(option) for option in options]
    known = _words(name) & set().union(*map(_words, options))
    sharing = [option for option in options if known <= _words(option)]
    close = difflib.get_close_matches(str(name), sharing or options, n=1, cutoff=0.3 if known else 0.5)
    return close[0] if close else None


def _words(name: str) -> set[str]:
    return set(re.findall(r"[a-z0-9]+", str(name).lower()))


def one_of(value: object, options: Iterable[str], key: str) -> None:
    """Raise :class:`KpstraError` unless ``value`` is one of ``options``; ``key`` names the setting."""
    options = list(options)
    if value not in options:
        raise KpstraError(f"{key}: {value!r} is not one of {', '.join(map(str, options))}{nearest(value, options)}")


def some(names: Iterable[object], most: int = 3, separator: str = ", ") -> str:
    """Return the first few of some names, and how many more there are: ``a, b, c and 4 more``."""
    names = list(map(str, names))
    return separator.join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")
