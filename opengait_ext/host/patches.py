"""What a CPU run needs: OpenGait says ``.cuda()``, ``torch.device("cuda", rank)`` and ``device_ids`` in many places.

Inside :func:`on_cpu` those calls stay on the CPU. Nothing of the host is changed on disk, and everything is put back.
"""

from __future__ import annotations

import builtins
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

import torch
from torch import nn

PROBE_FILE = "./datasets/Gait3D/Gait3D.json"  # the one file that OpenGait's evaluate_Gait3D reads its probes from


def _on_cpu(argument: Any) -> Any:
    is_device = isinstance(argument, (str, torch.device)) and torch.device(argument).type == "cuda"
    return torch.device("cpu") if is_device else argument


@contextmanager
def on_cpu() -> Iterator[None]:
    """Let the host's CUDA calls act on the CPU; enter after ``utils`` is imported and before ``modeling`` is."""
    move = nn.Module.to

    def to(self: nn.Module, *args, **kwargs) -> nn.Module:
        return move(self, *map(_on_cpu, args), **{key: _on_cpu(value) for key, value in kwargs.items()})

    utils = sys.modules["utils"]
    with ExitStack() as stack:
        for owner, name, value in (
            (torch.Tensor, "cuda", lambda self, *args, **kwargs: self),
            (nn.Module, "cuda", lambda self, *args, **kwargs: self),
            (nn.Module, "to", to),
            (torch.cuda, "set_device", lambda device: None),
            (utils, "get_ddp_module", ddp_without_devices(utils.common.DDPPassthrough)),
        ):
            stack.enter_context(patch.object(owner, name, value))
        yield


def ddp_without_devices(ddp: type[nn.Module]) -> Callable[..., nn.Module]:
    """Return the host's ``get_ddp_module`` without its CUDA ``device_ids``, which DDP refuses on a CPU."""

    def get_ddp_module(module: nn.Module, find_unused_parameters: bool = False, **kwargs) -> nn.Module:
        if not any(p.requires_grad for p in module.parameters()):
            return module
        return ddp(module, find_unused_parameters=find_unused_parameters, **kwargs)

    return get_ddp_module


@contextmanager
def probes_from(partition: Path) -> Iterator[None]:
    """Let ``evaluate_Gait3D`` read PROBE_SET from the run's own partition instead of a fixed relative path."""

    def open_partition(file: Any, *args, **kwargs):
        return builtins.open(partition if file == PROBE_FILE else file, *args, **kwargs)

    evaluator = sys.modules["evaluation.evaluator"]
    with patch.object(evaluator, "open", open_partition, create=True):
        yield
