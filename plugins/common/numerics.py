"""NaN and infinite values: found in arrays, noticed in gradients, and kept out of checkpoints."""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np
import torch
from torch import Tensor, optim
from torch.nn.utils import get_total_norm

from ..answer import Answer
from ..errors import KpstraError, some


def nonfinite_rows(values: np.ndarray | Tensor) -> list[int]:
    """Return the indices along the first axis where values (N, ...) are NaN or infinite."""
    finite = (torch if isinstance(values, Tensor) else np).isfinite(values)
    rows = finite.reshape(len(values), math.prod(values.shape[1:])).all(1)
    return [i for i, fine in enumerate(rows.tolist()) if not fine]


def first_nonfinite(values: np.ndarray | Tensor) -> int | None:
    """Return the first index along the first axis where values (N, ...) are NaN or infinite, if there is one."""
    return next(iter(nonfinite_rows(values)), None)


class GradientWatch:
    """Notices NaN or infinite gradients, before each of an optimiser's steps, and waits for no device.

    What the device finds is on its way to the host when :meth:`finite` is asked for it.
    """

    def __init__(self, optimizer: optim.Optimizer) -> None:
        self._found: Answer | None = None
        optimizer.register_step_pre_hook(self._measure)

    def _measure(self, optimizer: optim.Optimizer, *_: object) -> None:
        trained = (parameter for group in optimizer.param_groups for parameter in group["params"])
        norm = get_total_norm([parameter.grad for parameter in trained if parameter.grad is not None])
        self._found = Answer(torch.isfinite(norm))

    def finite(self) -> bool:
        """Whether the last step's gradients were finite; asked a second time, or before a step, it is true."""
        found, self._found = self._found, None
        return found is None or found.read()


def require_finite(tensors: Iterable[tuple[str, Tensor]], what: str) -> None:
    """Refuse tensors that hold NaN or infinite values.

    Args:
        tensors: (name, tensor) pairs.
        what: begins the message.

    Raises:
        KpstraError: names the first such tensors.
    """
    floating = [(name, tensor) for name, tensor in tensors if tensor.is_floating_point()]
    if not floating:
        return
    finite = torch.stack([torch.isfinite(tensor).all() for _, tensor in floating]).tolist()
    wrong = [name for (name, _), fine in zip(floating, finite, strict=True) if not fine]
    if wrong:
        raise KpstraError(f"{what}: not finite (NaN or infinite): {some(wrong)}")
