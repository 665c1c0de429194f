"""A few numbers that the device computes and the host reads later, so that nobody waits in between."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


class Answer:
    """A tensor on its way to the host: on CUDA its copy into pinned memory begins at once, behind what computes it.

    Whoever reads it waits for what the device was given before it, and not for what it was given since. Read after
    the host has waited for something later anyway, it costs no wait at all.

    Args:
        tensor: small, on any device.

    Example:
        >>> answer = Answer(torch.isfinite(loss))
        >>> loss.backward()
        >>> answer.read()
        True
    """

    def __init__(self, tensor: Tensor) -> None:
        self._values = torch.empty(tensor.shape, dtype=tensor.dtype, device="cpu", pin_memory=tensor.is_cuda)
        self._values.copy_(tensor.detach(), non_blocking=True)
        self._arrived = torch.cuda.Event() if tensor.is_cuda else None
        if self._arrived is not None:
            self._arrived.record(torch.cuda.current_stream(tensor.device))

    def read(self) -> Any:
        """Return the numbers: nested lists, or one number of a tensor without dimensions."""
        if self._arrived is not None:
            self._arrived.synchronize()
        return self._values.tolist()
