"""bfloat16 by autocast, on CUDA and on a CPU: ``enable_bfloat16`` of ``trainer_cfg`` and ``evaluator_cfg``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from .progress import uses_cuda


class Precision:
    """Part of :class:`opengait_ext.training.hosted.Hosted`: ``forward``, under autocast if the settings say so.

    bfloat16 has the range of float32, so that no gradient needs scaling as with the host's float16. Weights, optimiser
    and losses stay float32, and so does what the network gives.
    """

    def forward(self, inputs: tuple) -> dict[str, Any]:
        """Run the model, whatever the host's own autocast is."""
        if not self.engine_cfg.get("enable_bfloat16"):
            return super().forward(inputs)
        with torch.autocast("cuda" if uses_cuda() else "cpu", dtype=torch.bfloat16):
            return as_float32(super().forward(inputs))


def as_float32(value: Any) -> Any:
    """Return tensors of bfloat16 in nested mappings as float32, all else as it is.

    Example:
        >>> as_float32({"embeddings": torch.ones(1, dtype=torch.bfloat16)})
        {'embeddings': tensor([1.])}
    """
    if isinstance(value, Mapping):
        return {key: as_float32(item) for key, item in value.items()}
    return value.float() if isinstance(value, Tensor) and value.dtype == torch.bfloat16 else value
