"""The folder of one experiment: begun with settings that stay, and used by one run at a time."""

from __future__ import annotations

import errno
import json
import os
import shutil
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

from filelock import lock_descriptor

from ..errors import KpstraError, some
from .files import disk_error, read_json, write_json
from .settings import flatten

RECORD, LOCK, SCRATCH = "settings.json", ".lock", ".partial"
GOES_ON = "the same command goes on from there"
WAIT = 3.0  # seconds: a killed run's worker processes hold its lock until they have ended


@contextmanager
def claim(
    folder: str | os.PathLike,
    settings: Mapping[str, Any],
    *,
    record: str = RECORD,
    option: str = "--output",
    ignore: Sequence[str] = (),
    defaults: Mapping[str, Any] | None = None,
    bound: Callable[[], bool] | None = None,
    alone: bool = False,
    wait: float = WAIT,
) -> Iterator[IO[bytes]]:
    """Begin a folder with ``settings``, or go on with one that was begun with the same; lock it for the block.

    A folder in which nothing was made binds nobody: a run that was refused or killed before that leaves it to others.

    >>> with claim("runs/a", {"lr": 0.1, "model": {"depth": 4}}):
    ...     train()

    Args:
        folder: made if missing.
        settings: kept as JSON in ``folder/record`` when the folder is begun.
        record: the file's name.
        option: the option or setting that names the folder, for messages.
        ignore: dotted keys (and all below them) that are kept but may differ later, such as paths and workers.
        defaults: by dotted key, see :func:`require_same`.
        bound: whether something was made with the settings that the folder was begun with, such as a checkpoint; by
            default, whether it holds anything beside their record. Where nothing was, these settings take their place.
        alone: refuse a folder that holds other things and no record.
        wait: seconds to wait for another run's end.

    Yields:
        The locked file; a child process that inherits it holds the lock on when this one is killed.

    Raises:
        KpstraError: the folder was begun with other settings (all of them are named), holds other things, is used by
            another run, or cannot be written.
    """
    folder = Path(folder)
    if os.path.isfile(folder):
        raise KpstraError(f"{option} {folder}: is a file; give a folder")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with locked(folder, option, wait) as lock:
            _begin_or_compare(folder, settings, record, option, ignore, defaults, bound, alone)
            yield lock
    except OSError as error:
        if reason := _reason(error, folder):
            raise KpstraError(f"{option} {folder}: {reason}; once that is mended, {GOES_ON}") from error
        raise


@contextmanager
def locked(folder: Path, option: str = "--output", wait: float = WAIT) -> Iterator[IO[bytes]]:
    """Keep other runs out of an existing folder for the block; see :func:`claim`.

    Raises:
        KpstraError: another run is at it.
    """
    path, until = folder / LOCK, time.monotonic() + wait
    while (stream := _lock(path)) is None:
        if time.monotonic() >= until:
            raise KpstraError(f"{option} {folder}: another run is writing to it; wait for its end")
        time.sleep(0.1)
    try:
        yield stream
    finally:
        with suppress(OSError):  # Windows removes no open file
            path.unlink()
        stream.close()


@contextmanager
def scratch(folder: Path) -> Iterator[Path]:
    """Yield an empty folder inside a claimed one, for what is not whole yet; it is removed in the end."""
    partial = folder / SCRATCH
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir()
    try:
        yield partial
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def require_same(
    begun: Mapping[str, Any],
    now: Mapping[str, Any],
    where: str,
    advice: str,
    ignore: Sequence[str] = (),
    defaults: Mapping[str, Any] | None = None,
) -> None:
    """Refuse settings that are not those that something was begun with.

    >>> require_same({"lr": 0.1}, {"lr": 0.1, "warmup": 0}, "runs/a", "give another folder", defaults={"warmup": 0})

    Args:
        begun: the settings from back then.
        now: the present ones.
        where, advice: begin and end the message.
        ignore: dotted keys (and all below them) that may differ.
        defaults: by dotted key. A key that came later, with a newer version of this package, is no difference while it
            has its default: what a new setting does is off by default.

    Raises:
        KpstraError: names the dotted keys that differ, with the old and the new value.
    """
    if changed := _changed(begun, now, ignore, defaults):
        raise KpstraError(f"{where}: was begun with {some(changed, separator='; ')}; {advice}")


def same(
    begun: Mapping[str, Any],
    now: Mapping[str, Any],
    ignore: Sequence[str] = (),
    defaults: Mapping[str, Any] | None = None,
) -> bool:
    """Return whether settings are those that something was begun with, as :func:`require_same` has it."""
    return not _changed(begun, now, ignore, defaults)


def _changed(
    begun: Mapping[str, Any], now: Mapping[str, Any], ignore: Sequence[str], defaults: Mapping[str, Any] | None
) -> list[str]:
    """Say of each key that differs what it was and what it is."""
    before, after, usual = flatten(begun), flatten(_as_json(now)), _as_json(defaults or {})
    return [
        f"{key} {_shown(before, key)}, not {_shown(after, key)}"
        for key in dict.fromkeys((*before, *after))
        if not _same(key, before, after, usual) and not _within(key, ignore)
    ]


def _same(key: str, before: Mapping[str, Any], after: Mapping[str, Any], usual: Mapping[str, Any]) -> bool:
    was = before if key in before else usual
    return key in was and key in after and repr(was[key]) == repr(after[key])


def _begin_or_compare(
    folder: Path,
    settings: Mapping[str, Any],
    record: str,
    option: str,
    ignore: Sequence[str],
    defaults: Mapping[str, Any] | None,
    bound: Callable[[], bool] | None,
    alone: bool,
) -> None:
    path, others = folder / record, _beside(folder, record)
    if alone and others and not path.exists():
        raise KpstraError(f"{option} {folder}: holds {others[0]!r} and no {record}; give a new or empty folder")
    if path.exists():
        begun = read_json(path, "the settings that its folder was begun with; give another folder")
        ours = begun.keys() & settings.keys()  # and no file of the user's that is called so
        if not ours or (others if bound is None else bound()):
            advice = "give the same settings, or another folder"
            return require_same(begun, settings, f"{option} {folder}", advice, ignore, defaults)
    write_json(path, _as_json(settings))


def _beside(folder: Path, record: str) -> list[str]:
    """Name what a folder holds beside the record of its settings and what :func:`claim` itself puts there."""
    names = sorted(path.name for path in folder.iterdir())
    return [name for name in names if name not in (record, LOCK, SCRATCH) and not name.startswith(f".{record}.")]


def _as_json(settings: Mapping[str, Any]) -> dict[str, Any]:
    return json.loads(json.dumps(settings, default=str))


def _within(key: str, keys: Sequence[str]) -> bool:
    return any(key == other or key.startswith(f"{other}.") for other in keys)


def _shown(settings: Mapping[str, Any], key: str) -> str:
    text = repr(settings[key]) if key in settings else "unset"
    return text if len(text) <= 120 else f"{text[:117]}..."


def _lock(path: Path) -> IO[bytes] | None:
    """Open and lock a file; None if another run has it, or had it and has removed it since it was opened here."""
    stream = open(path, "ab")  # noqa: SIM115, closed by locked()
    try:
        held = lock_descriptor(stream.fileno(), blocking=False)
        if held and path.exists() and os.path.samestat(os.fstat(stream.fileno()), path.stat()):
            return stream
    except OSError as error:
        if error.errno in (errno.ENOSYS, errno.ENOTSUP, errno.ENOLCK):
            warnings.warn(f"{path}: no locks on this file system: start one run at a time here", stacklevel=4)
            return stream
        stream.close()
        raise
    stream.close()
    return None


def _reason(error: OSError, folder: Path) -> str | None:
    """What went wrong with the folder, if the error is about it."""
    if error.filename is None:
        return disk_error(error)
    path = Path(os.fsdecode(error.filename)) if not isinstance(error.filename, int) else None
    if path is None or not path.is_relative_to(folder):
        return None
    return str(error.strerror) if path == folder else f"{path}: {error.strerror}"
