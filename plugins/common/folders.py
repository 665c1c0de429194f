"""The folder of one experiment: begun with settings that stay, and used by one run at a time."""

from __future__ import annotations

import errno
import json
import os
import shutil
import time
import warnings
from collections.abc import Iterator, Mapping, Sequence
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
    alone: bool = False,
    wait: float = WAIT,
) -> Iterator[IO[bytes]]:
    """Begin a folder with ``settings``, or go on with one that was begun with the same; lock it for the block.

    >>> with claim("runs/a", {"lr": 0.1, "model": {"depth": 4}}):
    ...     train()

    Args:
        folder: made if missing.
        settings: kept as JSON in ``folder/record`` when the folder is begun.
        record: the file's name.
        option: the option or setting that names the folder, for messages.
        ignore: dotted keys (and all below them) that are kept but may differ later, such as paths and workers.
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
            _begin_or_compare(folder, settings, record, option, ignore, alone)
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
    begun: Mapping[str, Any], now: Mapping[str, Any], where: str, advice: str, ignore: Sequence[str] = ()
) -> None:
    """Refuse settings that are not those that something was begun with.

    Raises:
        KpstraError: names the dotted keys that differ, with the old and the new value.
    """
    before, after = flatten(begun), flatten(_as_json(now))
    changed = [
        f"{key} {_shown(before, key)}, not {_shown(after, key)}"
        for key in dict.fromkeys((*before, *after))
        if _shown(before, key) != _shown(after, key) and not _within(key, ignore)
    ]
    if changed:
        raise KpstraError(f"{where}: was begun with {some(changed, separator='; ')}; {advice}")


def _begin_or_compare(
    folder: Path, settings: Mapping[str, Any], record: str, option: str, ignore: Sequence[str], alone: bool
) -> None:
    path = folder / record
    if path.exists():
        begun = read_json(path, "the settings that its folder was begun with; give another folder")
        require_same(begun, settings, f"{option} {folder}", "give the same settings, or another folder", ignore)
        return
    names = sorted(p.name for p in folder.iterdir())
    others = [name for name in names if name not in (LOCK, SCRATCH) and not name.startswith(f".{record}.")]
    if alone and others:
        raise KpstraError(f"{option} {folder}: holds {others[0]!r} and no {record}; give a new or empty folder")
    write_json(path, _as_json(settings))


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
