"""What a host raises over settings, told in one line that names the section."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from plugins.common.processes import plain_endings
from plugins.common.reasons import reason_of
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
