"""Whole-or-nothing file writing, and finding a configuration by name."""

from __future__ import annotations

import errno
import glob
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib import resources
from pathlib import Path
from typing import IO

from ..errors import KpstraError, nearest

DISK = {
    errno.ENOSPC,
    errno.EDQUOT,
    errno.EFBIG,
    errno.EROFS,
    errno.EACCES,
    errno.EPERM,
    errno.ENOTDIR,
    errno.EEXIST,
    errno.ENAMETOOLONG,
    errno.EIO,
}

try:
    import fcntl
except ImportError:  # not a Unix: leftovers stay
    fcntl = None


@contextmanager
def atomic_write(path: str | os.PathLike, mode: str = "wb") -> Iterator[IO]:
    """Open a temporary file beside ``path`` that replaces it only when the block ends without an error.

    A kill at any moment leaves either the old file or the new one, never a part of one. What a killed process left of
    its temporary file is removed when ``path`` is next written.

    Raises:
        KpstraError: the disk is full or the folder read-only; the old file is unharmed.
    """
    path = Path(path)
    try:
        with _whole(path, mode) as stream:
            yield stream
    except Exception as error:
        if reason := disk_error(error):
            raise KpstraError(f"{path}: cannot be written: {reason}; what was there before is unharmed") from error
        raise


def disk_error(error: BaseException | None) -> str | None:
    """What the disk refused, if that is behind an error: torch, say, turns it into one of its own."""
    while error is not None:
        if isinstance(error, OSError) and error.errno in DISK:
            return error.strerror
        error = error.__cause__ or error.__context__
    return None


@contextmanager
def _whole(path: Path, mode: str) -> Iterator[IO]:
    path.parent.mkdir(parents=True, exist_ok=True)
    for leftover in path.parent.glob(f".{glob.escape(path.name)}.*.tmp"):
        _remove_unless_held(leftover)
    handle, temporary = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".tmp", dir=path.parent)
    try:
        with os.fdopen(handle, mode) as stream:
            _hold(stream)
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        os.chmod(temporary, 0o666 & ~_umask())
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def _hold(stream: IO) -> bool:
    """Lock an open file as long as this process lives; False if another one has."""
    try:
        if fcntl:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _remove_unless_held(leftover: Path) -> None:
    with suppress(OSError), open(leftover, "rb") as stream:
        if fcntl and _hold(stream):
            leftover.unlink()


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def resolve_config(name: str | os.PathLike) -> Path:
    """Find a configuration: as a path from the working directory, then among those of the installed package.

    ``configs/reid/x.yaml``, ``reid/x.yaml`` and ``reid/x`` all name the shipped ``configs/reid/x.yaml``.

    Raises:
        KpstraError: no such file; the message lists the nearest shipped name.
    """
    path = Path(name)
    if path.is_file():
        return path
    shipped = Path(str(resources.files("kpstra_configs")))
    relative = Path(*path.parts[1:]) if path.parts[:1] == ("configs",) else path
    for candidate in (shipped / relative, shipped / f"{relative}.yaml"):
        if not relative.is_absolute() and candidate.is_file():
            return candidate
    names = [str(p.relative_to(shipped)) for p in sorted(shipped.rglob("*.yaml"))]
    hint = nearest(str(relative), names)
    raise KpstraError(f"{name}: no such configuration, neither from the working directory nor shipped{hint}")
