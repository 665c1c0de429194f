"""Where a training step would wait for a device, counted without one: tensors on the CPU stand for a device's."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest.mock import Mock, patch

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

aten = torch.ops.aten
READS = {  # sizes or values that the host must know
    *(aten._local_scalar_dense, aten.equal, aten.nonzero, aten.masked_select, aten.bincount),
    *(aten._unique2, aten.unique_dim, aten.unique_consecutive, aten.repeat_interleave),
}
BY_MASK = {aten.index, aten.index_put_, aten._index_put_impl_}  # masks become indices first
TO_HOST = {Tensor.cpu, Tensor.numpy, Tensor.tolist, Tensor.__array__}
MAKES = {
    torch.tensor,
    torch.as_tensor,
    torch.zeros,
    torch.ones,
    torch.full,
    torch.empty,
    torch.arange,
    torch.from_numpy,
}


class Waits(TorchFunctionMode):
    """Lists what would make the host wait for the device, as :attr:`found`, while it is entered.

    Every tensor counts as the device's, and says so (``is_cuda``), but for those that are made without a device or in
    pinned memory, those that were copied from the device, those of :meth:`memory`, a batch's, and what is computed from
    such alone.
    """

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self.counting = True
        self._hosts: dict[int, Tensor] = {}  # by their storage, and kept, so that no other has it
        self._below = _Dispatched(self)
        self._patches = ExitStack()

    def __enter__(self) -> Waits:
        for name in ("Event", "current_stream"):
            self._patches.enter_context(patch.object(torch.cuda, name, Mock()))
        self._patches.enter_context(patch.object(Tensor, "cuda", self._cuda()))
        self._patches.enter_context(self._below)
        return super().__enter__()

    def __exit__(self, *raised: object) -> None:
        super().__exit__(*raised)
        self._patches.close()

    def memory(self, value: Any) -> Any:
        """Return ``value``, whose tensors are in the host's memory."""
        for tensor in tensors(value):
            self._hosts[tensor.untyped_storage().data_ptr()] = tensor
        return value

    @contextmanager
    def elsewhere(self) -> Iterator[None]:
        """Count nothing in the block, which other processes would do."""
        self.counting = False
        try:
            yield
        finally:
            self.counting = True

    def on_device(self, tensor: Tensor) -> bool:
        return tensor.untyped_storage().data_ptr() not in self._hosts

    def note(self, what: str) -> None:
        if self.counting:
            self.found.append(what)

    def __torch_function__(self, func: Callable, types: Iterable, args=(), kwargs=None) -> Any:
        kwargs = kwargs or {}
        if func == Tensor.is_cuda.__get__:
            return self.counting and self.on_device(args[0])
        if func in MAKES and not isinstance(kwargs.get("device"), torch.device) and not tensors(args):
            return self.memory(func(*args, **{**kwargs, "pin_memory": False} if "pin_memory" in kwargs else kwargs))
        if func in TO_HOST and self.on_device(args[0]):
            self.note(func.__name__)
            return self.memory(args[0].clone()) if func is Tensor.cpu else func(*args, **kwargs)
        if func is Tensor.to and any(isinstance(value, (str, torch.device)) for value in (*args[1:], *kwargs.values())):
            return self.moved(args[0], kwargs.get("non_blocking"))
        return func(*args, **kwargs)

    def moved(self, tensor: Tensor, non_blocking: bool | None = False) -> Tensor:
        """Return a tensor on the device."""
        if self.on_device(tensor):
            return tensor
        if not non_blocking:
            self.note("copy to the device")
        copy = tensor.clone()
        self._hosts.pop(copy.untyped_storage().data_ptr(), None)
        return copy

    def _cuda(self) -> Callable[..., Tensor]:
        return lambda tensor, device=None, non_blocking=False: self.moved(tensor, non_blocking)


class _Dispatched(TorchDispatchMode):
    """What is seen below autograd, the backward pass too."""

    def __init__(self, waits: Waits) -> None:
        super().__init__()
        self.waits = waits

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        packet, given = func.overloadpacket, tensors((args, kwargs))
        masks = packet in BY_MASK and any(t.dtype in (torch.bool, torch.uint8) for t in tensors(args[1]))
        copied = packet is aten.copy_ and not self.waits.on_device(given[0]) and not (args[2:] or (kwargs or {}))
        if (packet in READS or masks or copied) and any(map(self.waits.on_device, given)):
            self.waits.note(str(packet))
        result = func(*args, **(kwargs or {}))
        return result if not given or any(map(self.waits.on_device, given)) else self.waits.memory(result)


def tensors(value: Any) -> list[Tensor]:
    return [leaf for leaf in tree_leaves(value) if isinstance(leaf, Tensor)]
