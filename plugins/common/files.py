"""Files and folders put in place whole or not at all, JSON."""

from __future__ import annotations

import errno
import glob
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

from filelock import lock_descriptor

from ..errors import KpstraError

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


@contextmanager
def atomic_write(path: str | os.PathLike, mode: str = "wb") -> Iterator[IO]:
    """Open a temporary file beside ``path`` that replaces it only when the block ends without an error.

    A kill at any moment leaves either the old file or the new one, never a part of one. What a killed process left of
    its temporary file is removed when ``path`` is next written.

    Raises:
        KpstraError: the disk is full, the folder read-only, or a folder is there; what was there is unharmed.
    """
    path = Path(path)
    try:
        with _whole(path, mode) as stream:
            yield stream
    except KpstraError:
        raise
    except Exception as error:
        if reason := disk_error(error):
            raise _cannot_be_written(path, reason) from error
        raise


def require_writable(path: str | os.PathLike) -> None:
    """Refuse a file that could not be written at the end of long work; nothing is left behind.

    Raises:
        KpstraError: as :func:`atomic_write`.
    """
    path = Path(path)
    with _refusing(path):
        if path.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(prefix=f".{path.name}.", suffix=".tmp", dir=path.parent):
            pass


def disk_error(error: BaseException | None) -> str | None:
    """What the disk refused, if that is behind an error: torch, say, turns it into one of its own."""
    while error is not None:
        if isinstance(error, OSError) and error.errno in DISK:
            return error.strerror
        error = error.__cause__ or error.__context__
    return None


@contextmanager
def _whole(path: Path, mode: str) -> Iterator[IO]:
    with _refusing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        for leftover in path.parent.glob(f".{glob.escape(path.name)}.*.tmp"):
            _remove_unless_held(leftover)
        handle, temporary = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".tmp", dir=path.parent)
    try:
        with os.fdopen(handle, mode, encoding=None if "b" in mode else "utf-8") as stream:
            _hold(stream)
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        with _refusing(path):
            os.chmod(temporary, 0o666 & ~_umask())
            os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


@contextmanager
def _refusing(path: Path) -> Iterator[None]:
    try:
        yield
    except FileExistsError as error:
        raise _cannot_be_written(path, f"{error.filename} is a file, no folder") from error
    except OSError as error:
        raise _cannot_be_written(path, error.strerror) from error


def _cannot_be_written(path: Path, reason: str | None) -> KpstraError:
    return KpstraError(f"{path}: cannot be written: {reason}; what was there before is unharmed")


def _hold(stream: IO) -> bool:
    """Lock an open file as long as this process lives; False if another one has, or the file system has no locks."""
    try:
        return lock_descriptor(stream.fileno(), blocking=False)
    except OSError:
        return False


def _remove_unless_held(leftover: Path) -> None:
    with suppress(OSError), open(leftover, "rb") as stream:
        if _hold(stream):
            leftover.unlink()


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


@contextmanager
def atomic_folder(target: str | os.PathLike, scratch: str | os.PathLike | None = None) -> Iterator[Path]:
    """Yield a new folder that becomes ``target`` only when the block ends without an error.

    Args:
        target: a folder there is replaced.
        scratch: where the new folder is filled, on the same file system; by default beside ``target``.
    """
    target = Path(target)
    partial = new_folder(scratch or target.parent, target)
    try:
        yield partial
        replace_folder(partial, target)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def new_folder(scratch: str | os.PathLike, target: Path) -> Path:
    """Make a folder in ``scratch`` that is filled here and put in place elsewhere by :func:`replace_folder`."""
    Path(scratch).mkdir(parents=True, exist_ok=True)
    partial = Path(tempfile.mkdtemp(prefix=f".{target.name}.", suffix=".tmp", dir=scratch))
    partial.chmod(0o777 & ~_umask())
    return partial


def replace_folder(partial: Path, target: Path) -> None:
    """Turn a filled folder into ``target``, whole; a folder there is replaced."""
    shutil.rmtree(target, ignore_errors=True)
    target.parent.mkdir(parents=True, exist_ok=True)
    os.replace(partial, target)


def write_json(path: str | os.PathLike, content: Any) -> None:
    """Write JSON, whole or not at all; see :func:`atomic_write`."""
    with atomic_write(path, "w") as stream:
        json.dump(content, stream, indent=1)
        stream.write("\n")


def read_json(path: str | os.PathLike, expected: str) -> dict[str, Any]:
    """Read a JSON file with a mapping at its top.

    Args:
        path: of the file.
        expected: what belongs there and what to do where it does not, for the message.

    Raises:
        KpstraError: unreadable, not JSON, or something else than a mapping.
    """
    try:
        content = json.loads(Path(path).read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise KpstraError(f"{path}: cannot be read: {error.strerror}; expected {expected}") from error
    except (ValueError, RecursionError) as error:
        raise KpstraError(f"{path}: damaged, or not JSON ({str(error)[:100]}); expected {expected}") from error
    if not isinstance(content, dict):
        raise KpstraError(f"{path}: {content!r:.60}: expected {expected}")
    return content
