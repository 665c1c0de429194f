"""What a host raises over settings, told in one line that names the section."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from plugins.common.processes import plain_endings
from plugins.errors import KpstraError


@contextmanager
def refused(section: str, value: object = "", until: Callable[[], bool] = lambda: False) -> Iterator[None]:
    """Name ``section`` of the settings when the host cannot do what it describes; ``until`` then, errors are others'.

    Raises:
        KpstraError: any other exception than this one left the block; the message says where it came from.
    """
    try:
        with plain_endings():
            yield
    except KpstraError:
        raise
    except Exception as error:
        if until():
            raise
        trace = error.__traceback__
        while trace.tb_next is not None:
            trace = trace.tb_next
        place = f"{Path(trace.tb_frame.f_code.co_filename).name}:{trace.tb_lineno}"
        lines = str(error).strip().splitlines()
        last = lines[-1] if "Original Traceback" in str(error) else " ".join(lines)  # a data loader's worker
        reason = f"{type(error).__name__}: {' '.join(last.split())[:300]}"
        given = f" {value}:" if value != "" else ""
        raise KpstraError(f"{section}:{given} the host cannot work with it ({reason}; {place})") from error
