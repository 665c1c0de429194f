"""How keypoints reach the attention: one context that the model sets for a forward, and that recomputation replays."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager, nullcontext
from typing import NamedTuple, TypeVar

import torch
from torch import Tensor

from ..errors import KpstraError
from .keypoints import Keypoints

Built = TypeVar("Built")


class Running(NamedTuple):
    """A forward's keypoints, and what its attentions computed from them alone."""

    keypoints: Keypoints
    built: dict


class KeypointContext:
    """The keypoints of the forward that is running, for all attentions of one network.

    Every thread has its own (DataParallel runs replicas in threads). Activation checkpointing runs a block again in
    the backward, when the forward's context has long ended; so the forward leaves its keypoints in the graph, with the
    tensors it saves, and reading those puts the keypoints back: each recomputation sees its own forward's.
    """

    def __init__(self) -> None:
        self._thread = threading.local()
        self._latest: Running | None = None  # what compiled code reads: it cannot read thread-local values

    def get(self) -> Keypoints:
        """Return the running forward's keypoints.

        Raises:
            KpstraError: no forward has set any.
        """
        return self._running().keypoints

    def once(self, key: Hashable, build: Callable[[], Built]) -> Built:
        """Return ``build()``, which follows from the keypoints alone; computed once for all attentions of a forward.

        It takes no part in gradients.
        """
        if torch.compiler.is_compiling():
            return build()
        built = self._running().built
        if key not in built:
            with torch.inference_mode(False), torch.no_grad():
                built[key] = build()
        return built[key]

    def _running(self) -> Running:
        if torch.compiler.is_compiling():
            running = self._latest
        elif _in_backward():
            running = getattr(self._thread, "replayed", None)
        else:
            running = getattr(self._thread, "current", None)
        if running is None:
            raise KpstraError("KP-RPE: no keypoints set: call the network `with handle.set_keypoints(keypoints):`")
        return running

    @contextmanager
    def set(self, keypoints: Keypoints) -> Iterator[None]:
        """Make ``keypoints`` those of every forward in the block."""
        before, latest = getattr(self._thread, "current", None), self._latest
        self._thread.current = self._latest = running = Running(keypoints, {})
        try:
            with self._replaying(running) if torch.is_grad_enabled() else nullcontext():
                yield
        finally:
            self._thread.current, self._latest = before, latest

    def _replaying(self, running: Running) -> torch.autograd.graph.saved_tensors_hooks:
        outer = torch._C._autograd._top_saved_tensors_default_hooks(True)

        def pack(tensor: Tensor):
            # detached, because a saved output that kept its own graph would never be freed
            return (outer[0](tensor), None) if outer else (tensor.detach(), tensor._version)

        def unpack(packed) -> Tensor:
            self._thread.replayed = running
            stored, version = packed
            tensor = outer[1](stored) if outer else stored
            if version is not None and tensor._version != version:
                raise RuntimeError(
                    "a tensor needed for the gradient has been modified by an inplace operation: "
                    f"{tuple(tensor.shape)} is at version {tensor._version}, expected {version}"
                )
            return tensor

        return torch.autograd.graph.saved_tensors_hooks(pack, unpack)

    def __reduce__(self):
        return KeypointContext, ()  # copies and pickles hold no keypoints


def _in_backward() -> bool:
    return torch._C._current_graph_task_id() != -1
