"""What a host raises over settings, told in one line that names the section."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from plugins.common.processes import plain_endings
from plugins.errors import KpstraError


@contextmanager
def refused(section: str | Callable[[], str], value: object = "") -> Iterator[None]:
    """Name ``section`` of the settings when the host cannot do what it describes.

    Args:
        section: or a function that names it when an error comes; an empty name leaves the error as it is.
        value: of the section.

    Raises:
        KpstraError: any other exception than this one left the block; the message says where it came from, and why.
    """
    try:
        with plain_endings():
            yield
    except KpstraError:
        raise
    except Exception as error:
        where = section if isinstance(section, str) else section()
        if not where:
            raise
        given = f" {value}:" if value != "" else ""
        raise KpstraError(f"{where}:{given} the host cannot work with it ({reason_of(error)})") from error


def reason_of(error: BaseException) -> str:
    """Return an exception's type, text and place in a line; of one without a text, those of what caused it."""
    cause = error
    while not str(cause).strip() and (inner := cause.__cause__ or cause.__context__) is not None:
        cause = inner
    trace = cause.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    place = f"; {Path(trace.tb_frame.f_code.co_filename).name}:{trace.tb_lineno}" if trace else ""
    lines = str(cause).strip().splitlines()
    text = lines[-1] if "Original Traceback" in str(cause) else " ".join(lines)  # a data loader's worker
    return f"{type(cause).__name__}: {' '.join(text.split())[:300]}{place}"
