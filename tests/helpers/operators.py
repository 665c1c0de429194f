"""The operators that a forward starts on a CUDA device, counted, and where they make the host wait for it.

Runs on torch's fake tensors, which have a device's name, shapes and types but no values: no device is needed.
"""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from plugins.kprpe.attention import partition
from plugins.kprpe.position import separable, window_queries

aten = torch.ops.aten
READS = {aten._local_scalar_dense, aten.item, aten.is_nonzero, aten.nonzero, aten.masked_select, aten.equal}
STARTS_NOTHING = {aten.empty, aten.empty_like, aten.new_empty, aten.detach, aten._unsafe_view, torch.ops.prim.device}
REMEMBERED = [partition._windows_of, separable.selectors, separable.weighted_selectors, *window_queries._known.values()]


class Operators(TorchDispatchMode):
    """Counts what starts work on a device (``calls``) and lists what waits for it (``waits``)."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: Counter[str] = Counter()
        self.waits: list[str] = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        given, made = ([t for t in tree_leaves(x) if isinstance(t, torch.Tensor)] for x in ((args, kwargs), result))
        packet, devices = func.overloadpacket, {t.device.type for t in (*given, *made)}
        if "cuda" in devices and not func.is_view and packet not in STARTS_NOTHING:
            self.calls[str(packet)] += 1
            copies = len({t.device.type for t in made} | {t.device.type for t in given if t.ndim}) > 1
            if (packet in READS or copies) and not (kwargs or {}).get("non_blocking"):
                self.waits.append(str(packet))
        return result


@contextmanager
def fake_cuda(*modules: nn.Module) -> Iterator[None]:
    """Let tensors on CUDA be made that have no values; ``modules`` are moved there, for good.

    What other code remembers by device is forgotten before and after.
    """
    for remembering in REMEMBERED:
        remembering.cache_clear()
    try:
        with FakeTensorMode(allow_non_fake_inputs=True):
            for owner in (owner for module in modules for owner in module.modules()):
                for name, parameter in owner.named_parameters(recurse=False):
                    owner._parameters[name] = nn.Parameter(_fake(parameter))
                for name, buffer in owner.named_buffers(recurse=False):
                    owner._buffers[name] = _fake(buffer)
            yield
    finally:
        for remembering in REMEMBERED:
            remembering.cache_clear()


def _fake(tensor: torch.Tensor) -> torch.Tensor:
    return torch.empty(tensor.shape, dtype=tensor.dtype, device="cuda")
