"""What a host raises over settings, told in one line that names the section."""
from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from plugins.errors import KpstraError


@contextmanager
def refused(section: str, value: object = "") -> Iterator[None]:
    """Name ``section`` of the settings when the host cannot build what it describes.

    Raises:
        KpstraError: any other exception than this one left the block; the message says where it came from.
    """
    try:
        yield
    except KpstraError:
        raise
    except Exception as error:
        trace = error.__traceback__
        while trace.tb_next is not None:
            trace = trace.tb_next
        place = f"{Path(trace.tb_frame.f_code.co_filename).name}:{trace.tb_lineno}"
        reason = f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"
        given = f" {value}:" if value != "" else ""
        raise KpstraError(f"{section}:{given} the host cannot work with it ({reason}; {place})") from error
