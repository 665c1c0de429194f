"""Worker processes that end when they should, and their deaths, told in one line."""

from __future__ import annotations

import multiprocessing as mp
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import connection

from ..errors import KpstraError
from .files import disk_error

MOST_WORKERS = 256  # of a data loader: each holds torch; a typing error must not take all memory


def follow_parent(*_: object) -> None:
    """Called first in a worker process: leave Ctrl-C to the parent, and end as soon as the parent is gone.

    Else a data loader's worker that waits to hand over a large batch outlives a killed parent, or makes Ctrl-C wait.
    Arguments are ignored, so that it can be a ``worker_init_fn``.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    connection.wait([mp.parent_process().sentinel])
    os._exit(1)


@contextmanager
def interrupts_held() -> Iterator[None]:
    """Keep a Ctrl-C until the block has ended; while processes are forked it would be lost, or half heard."""
    if threading.current_thread() is not threading.main_thread():  # only the main thread hears it
        yield
        return
    came: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, _: came.append(number))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
    if came:
        signal.raise_signal(signal.SIGINT)


@contextmanager
def plain_endings() -> Iterator[None]:
    """Let Ctrl-C, the death of a data loader's worker and a disk's refusal leave the block as what they are.

    torch turns a Ctrl-C that comes while it writes a checkpoint into a RuntimeError.

    Raises:
        KpstraError: a worker process was killed, or the disk is full or read-only.
        KeyboardInterrupt: Ctrl-C.
    """
    try:
        yield
    except OSError as error:
        if reason := disk_error(error):
            raise KpstraError(f"{error.filename or 'writing'}: {reason}") from error
        raise
    except RuntimeError as error:
        for cause in _causes(error):
            if isinstance(cause, KeyboardInterrupt):
                raise KeyboardInterrupt from error
            if str(cause).startswith("DataLoader worker"):
                raise KpstraError(
                    f"{str(cause).split('.')[0].strip()}, perhaps for want of memory; checkpoints are "
                    "unharmed, so resume, with fewer workers if it happens again"
                ) from error
        raise


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
