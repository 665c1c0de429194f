"""What torchreid raises over settings and data, told in one line that names the keys."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from plugins.common.processes import plain_endings
from plugins.common.reasons import reason_of
from plugins.errors import KpstraError


@contextmanager
def host_call(keys: str, advice: str, memory: str = "") -> Iterator[None]:
    """Translate what leaves a call of the host.

    Args:
        keys: the settings that the host was given; the message begins with them.
        advice: what to look at.
        memory: the setting to lower where the device's memory does not suffice.

    Raises:
        KpstraError: for any other exception; a Ctrl-C passes.
    """
    try:
        with plain_endings():
            yield
    except KpstraError:
        raise
    except torch.OutOfMemoryError as error:
        raise KpstraError(f"{memory or keys}: does not fit into the device's memory; lower it") from error
    except Exception as error:
        raise KpstraError(f"{keys}: torchreid cannot work with it ({reason_of(error)}); {advice}") from error
