"""Configuration, devices and processes: small helpers under the names that OpenGait gives them."""

from __future__ import annotations

import copy
import inspect
import logging
import random
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, distributed, nn
from torch.nn.parallel import DistributedDataParallel


class NoOp:
    """Takes any call and does nothing: the message manager of all processes but the first."""

    def __getattr__(self, name: str):
        return lambda *args, **kwargs: None


class Odict(OrderedDict):
    """A dictionary of lists that grow by whole dictionaries."""

    def append(self, other: Mapping) -> None:
        """Append every value of ``other`` to the list of its key."""
        for key, value in other.items():
            values = list(value) if is_list(value) else [value]
            if key in self:
                held = self[key] if is_list(self[key]) else [self[key]]
                self[key] = held + values
            else:
                self[key] = values


def is_list_or_tuple(x: Any) -> bool:
    return isinstance(x, (list, tuple))


def is_bool(x: Any) -> bool:
    return isinstance(x, bool)


def is_list(x: Any) -> bool:
    return isinstance(x, (list, nn.ModuleList))


def is_bool_list(x: Any) -> bool:
    return is_list(x) and all(map(is_bool, x))


def is_dict(x: Any) -> bool:
    return isinstance(x, dict)


def is_tensor(x: Any) -> bool:
    return isinstance(x, Tensor)


def run_device() -> torch.device:
    """Return the device of this run: the current GPU under NCCL, else the CPU."""
    if distributed.is_initialized() and distributed.get_backend() == "nccl":
        return torch.device("cuda", torch.cuda.current_device())
    return torch.device("cpu")


def ts2np(x: Tensor) -> np.ndarray:
    """Return a tensor as an array."""
    return x.detach().cpu().numpy()


def ts2var(x: Tensor, requires_grad: bool = False) -> Tensor:
    """Return ``x`` on the run's device; whole numbers never require a gradient."""
    return x.to(run_device()).requires_grad_(requires_grad and x.is_floating_point())


def np2var(x: np.ndarray, **kwargs) -> Tensor:
    """Return an array as a tensor on the run's device."""
    return ts2var(torch.from_numpy(x), **kwargs)


def list2var(x: Sequence, **kwargs) -> Tensor:
    """Return a list of numbers as a tensor on the run's device."""
    return np2var(np.array(x), **kwargs)


def mkdir(path: str | Path) -> None:
    """Make a folder and those above it."""
    Path(path).mkdir(parents=True, exist_ok=True)


def clones(module: nn.Module, n: int) -> nn.ModuleList:
    """Return ``n`` copies of ``module``, equal at first."""
    return nn.ModuleList(copy.deepcopy(module) for _ in range(n))


def get_attr_from(sources: Sequence, name: str) -> Any:
    """Return the attribute ``name`` of the first of ``sources`` that has it.

    Raises:
        ValueError: none has it.
    """
    for source in sources:
        if hasattr(source, name):
            return getattr(source, name)
    places = ", ".join(getattr(source, "__name__", str(source)) for source in sources)
    raise ValueError(f"{name!r} is not in {places}")


def get_valid_args(obj: Any, input_args: Mapping, free_keys: Sequence[str] = ()) -> dict:
    """Return those ``input_args`` that ``obj`` takes by name; others, but for ``free_keys``, are logged and left out.

    Raises:
        ValueError: ``obj`` is neither a function nor a class.
    """
    if not inspect.isfunction(obj) and not inspect.isclass(obj):
        raise ValueError(f"{obj!r} is neither a function nor a class")
    expected = inspect.getfullargspec(obj.__init__ if inspect.isclass(obj) else obj).args
    left_out = [key for key in input_args if key not in expected and key not in free_keys]
    if left_out:
        logging.info("%s does not take: %s", obj.__name__, ", ".join(left_out))
    return {key: value for key, value in input_args.items() if key in expected}


def MergeCfgsDict(src: Mapping, dst: dict) -> None:
    """Write ``src`` over ``dst`` in place, node by node."""
    for key, value in src.items():
        if is_dict(value) and is_dict(dst.get(key)):
            MergeCfgsDict(value, dst[key])
        else:
            dst[key] = value


def init_seeds(seed: int = 0, cuda_deterministic: bool = True) -> None:
    """Seed ``random``, numpy and torch."""
    for start in (random.seed, np.random.seed, torch.manual_seed):
        start(seed)
    torch.backends.cudnn.deterministic = cuda_deterministic
    torch.backends.cudnn.benchmark = not cuda_deterministic


def ddp_all_gather(features: Tensor, dim: int = 0, requires_grad: bool = True) -> Tensor:
    """Concatenate the ``features`` (of one size) of all processes; gradients reach this process's own."""
    gathered = [torch.empty_like(features) for _ in range(distributed.get_world_size())]
    distributed.all_gather(gathered, features.detach().contiguous())
    if requires_grad:
        gathered[distributed.get_rank()] = features
    return torch.cat(gathered, dim=dim)


class DDPPassthrough(DistributedDataParallel):
    """DistributedDataParallel through which the module's own attributes are seen."""

    def __getattr__(self, name: str):
        with suppress(AttributeError):
            return super().__getattr__(name)
        return getattr(self.module, name)


def get_ddp_module(module: nn.Module, find_unused_parameters: bool = False, **kwargs) -> nn.Module:
    """Wrap ``module`` for all processes; one without parameters stays as it is."""
    if not list(module.parameters()):
        return module
    device = run_device()
    devices = [device.index] if device.type == "cuda" else None
    return DDPPassthrough(module, device_ids=devices, find_unused_parameters=find_unused_parameters, **kwargs)


def params_count(net: nn.Module) -> str:
    """Say how many parameters ``net`` has."""
    return f"Parameters Count: {sum(p.numel() for p in net.parameters()) / 1e6:.5f}M"
