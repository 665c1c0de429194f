"""Training batches that are ready when they leave the loader: transformed, converted and put together in its workers.

The loader's collate function does there what the model's ``inputs_pretreament`` would do in the training process, with
the same draws; the training process moves the batch to its device.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import cv2
import numpy as np
import torch
from torch import Tensor

from plugins.common.memory import keep_freed_memory
from plugins.common.processes import follow_parent
from plugins.errors import KpstraError

from ..host.active import activate
from ..host.errors import refused
from ..host.find import Host
from ..host.patches import in_memory
from .progress import uses_cuda
from .ring import shared
from .twin import transform, twin_of


class Prepared:
    """A batch as a model takes it, in the host's memory: arrays where tensors will be.

    Large ones are in slots of the loader's :class:`opengait_ext.training.ring.Ring`; the others go through the worker's
    pipe.

    Args:
        ready: what ``inputs_pretreament`` returned.
        gradients: whether each tensor of it wants one.
        names: numbers of the labels, types and views, as the collate function gave them.
    """

    def __init__(self, ready: Any, gradients: Sequence[bool], names: Sequence[Sequence]) -> None:
        self.ready, self.gradients, self.names = ready, gradients, names
        self.generators: tuple | None = None  # states to go on from, see opengait_ext.training.seeding

    def __iter__(self) -> Iterator:
        """``ready``, labels, types and views: at the places that they have in a batch of the host."""
        return iter((self.ready, *self.names))

    def __getitem__(self, index: int | slice) -> Any:
        return (self.ready, *self.names)[index]

    def pin_memory(self) -> Prepared:
        """Called by torch's loader, so that nobody waits for the copy to a CUDA device."""
        self.ready = mapped(self.ready, lambda array: torch.from_numpy(array).pin_memory())
        return self

    def on_device(self) -> Any:
        """Return what ``inputs_pretreament`` gives, on the run's device."""
        gradients = iter(self.gradients)

        def move(value: np.ndarray | Tensor) -> Tensor:
            tensor = torch.as_tensor(value)
            return (tensor.cuda(non_blocking=True) if uses_cuda() else tensor).requires_grad_(next(gradients))

        return mapped(self.ready, move)


class Pretreatment:
    """A collate function that gives :class:`Prepared` batches.

    Args:
        collate: the host's.
        model: whose ``inputs_pretreament`` is done, by what :func:`opengait_ext.training.twin.twin_of` makes of it.
    """

    def __init__(self, collate: Callable[[Sequence], Sequence], model: Any) -> None:
        self.collate = collate
        self.host, self.cfgs = Host(model.host.root, model.host.kind), model.cfgs
        self.twin = twin_of(model.host, type(model), model.cfgs)

    def __getstate__(self) -> dict[str, Any]:
        """Leave out what workers that are not forked build again."""
        return {"collate": self.collate, "host": self.host, "cfgs": self.cfgs}

    def __setstate__(self, state: Mapping[str, Any]) -> None:
        from .hosted import hosted_class

        self.__dict__.update(state)
        host = activate(self.host)
        self.twin = twin_of(host, hosted_class(host, self.cfgs["model_cfg"]["model"]), self.cfgs)

    def __call__(self, samples: Sequence) -> Prepared:
        """Collate and transform."""
        return self.transform(self.collate(samples))

    def transform(self, batch: Sequence) -> Prepared:
        """Transform what the host's collate function gave.

        Raises:
            KpstraError: the transforms do not fit the data, or a model that wants more than its settings for it.
        """
        gradients, names = [], batch[1:4]

        def bare(tensor: Tensor) -> np.ndarray:
            gradients.append(tensor.requires_grad)
            return shared(tensor.detach().numpy())

        try:
            with in_memory(self.twin.host), refused("trainer_cfg.transform, trainer_cfg.joint_transform"):
                ready, first = transform(self.twin, batch)
        except KpstraError as error:
            if isinstance(error.__cause__, AttributeError):
                raise KpstraError(
                    f"{error}; if {type(self.twin).__name__} transforms its input by parts of its own: "
                    "data_cfg.pretreatment=host does that in the training process"
                ) from error
            raise
        ready = mapped(ready, bare)
        if first is not None:
            ready[0][0] = first
        return Prepared(ready, gradients, names)


def mapped(value: Any, change: Callable[[Any], Any]) -> Any:
    """Return nested lists, tuples and mappings with every tensor and array changed, in their order.

    Example:
        >>> mapped(([torch.ones(1)], "view"), torch.neg)
        ([tensor([-1.])], 'view')
    """
    if isinstance(value, (Tensor, np.ndarray)):
        return change(value)
    if isinstance(value, Mapping):
        return {key: mapped(item, change) for key, item in value.items()}
    if type(value) in (list, tuple):
        return type(value)(mapped(item, change) for item in value)
    return value


def begin(*_: object) -> None:
    """Called first in a worker process: its share of the machine is one thread, and it makes arrays of one size."""
    follow_parent()
    keep_freed_memory()
    torch.set_num_threads(1)
    cv2.setNumThreads(0)
