"""What a CPU run needs: OpenGait says ``.cuda()``, ``torch.device("cuda", rank)`` and ``device_ids`` in many places.

Inside :func:`on_cpu` those calls stay on the CPU, and inside :func:`in_memory` those that make a batch. Nothing of the
host is changed on disk, and everything is put back.
"""

from __future__ import annotations

import builtins
import inspect
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

import torch
from torch import nn

from .active import ActiveHost

PROBE_FILES = {  # the fixed paths from which OpenGait's evaluations read what is probe and what gallery
    "evaluate_Gait3D": "./datasets/Gait3D/Gait3D.json",
    "evaluate_FreeGait": "./datasets/FreeGait/FreeGait.json",
    "evaluate_CCGR_MINI": "./datasets/CCGR-MINI/CCGR-MINI.json",
}


def _on_cpu(argument: Any) -> Any:
    is_device = isinstance(argument, (str, torch.device)) and torch.device(argument).type == "cuda"
    return torch.device("cpu") if is_device else argument


@contextmanager
def on_cpu(host: ActiveHost) -> Iterator[None]:
    """Let a checkout's CUDA calls act on the CPU; the embedded host asks for its device and needs nothing."""
    if host.kind == "embedded":
        yield
        return
    move, common = nn.Module.to, inspect.getmodule(host.utils.get_ddp_module)

    def to(self: nn.Module, *args, **kwargs) -> nn.Module:
        return move(self, *map(_on_cpu, args), **{key: _on_cpu(value) for key, value in kwargs.items()})

    with ExitStack() as stack:
        for owner, name, value in (
            (torch.Tensor, "cuda", lambda self, *args, **kwargs: self),
            (nn.Module, "cuda", lambda self, *args, **kwargs: self),
            (nn.Module, "to", to),
            (torch.cuda, "set_device", lambda device: None),
            (torch.cuda, "current_device", lambda: 0),
            (common, "DDPPassthrough", without_devices(common.DDPPassthrough)),
        ):
            stack.enter_context(patch.object(owner, name, value))
        yield


@contextmanager
def in_memory(host: ActiveHost) -> Iterator[None]:
    """Let the host's conversions of arrays to tensors stay in the CPU's memory, as a loader's workers must."""
    if host.kind == "embedded":
        common = inspect.getmodule(host.utils.get_ddp_module)
        stays = patch.object(common, "run_device", lambda: torch.device("cpu"))
    else:
        stays = patch.object(torch.Tensor, "cuda", lambda self, *args, **kwargs: self)
    with stays:
        yield


def without_devices(ddp: type[nn.Module]) -> Callable[..., nn.Module]:
    """Return the host's DDP class without the CUDA ``device_ids`` that its ``get_ddp_module`` gives it."""

    def on_no_device(module: nn.Module, device_ids: object = None, output_device: object = None, **options):
        trained = any(p.requires_grad for p in module.parameters())
        return ddp(module, **options) if trained else module

    return on_no_device


@contextmanager
def probes_from(host: ActiveHost, partition: str | Path) -> Iterator[None]:
    """Let evaluations read PROBE_SET or GALLERY_SET from the run's own partition instead of a fixed relative path."""

    def open_partition(file: Any, *args, **kwargs):
        return builtins.open(partition if file in PROBE_FILES.values() else file, *args, **kwargs)

    with patch.object(host.evaluator, "open", open_partition, create=True):
        yield
