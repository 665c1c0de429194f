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
        # compiled code cannot read thread-local values: it reads what it set itself, or else what the one thread that
        # has keypoints set last
        self._traced: Running | None = None
        self._latest: Running | None = None
        self._shared = False  # by several threads
        self._lock = threading.Lock()
        self._held: list[tuple[int, Running]] = []  # of all threads

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
            running = self._latest if self._traced is None else self._traced
            if running is None and self._shared:
                raise KpstraError(
                    "KP-RPE: several threads have set keypoints of one network, which compiled code cannot tell apart: "
                    "give each thread a copy of the network, or let one wait for the other"
                )
        elif _in_backward():
            running = getattr(self._thread, "replayed", None)
        else:
            running = getattr(self._thread, "current", None)
        if running is None:
            raise KpstraError(
                "KP-RPE: no keypoints set: call the network `with handle.set_keypoints(keypoints):`; a copy of a "
                "network (EMA, deepcopy, torch.load) has a handle of its own, KPRPEHandle(copy)"
            )
        return running

    @contextmanager
    def set(self, keypoints: Keypoints) -> Iterator[None]:
        """Make ``keypoints`` those of every forward in the block."""
        running = Running(keypoints, {})
        before = self._enter(running)
        try:
            with self._replaying(running) if torch.is_grad_enabled() else nullcontext():
                yield
        finally:
            self._leave(running, before)

    def _enter(self, running: Running) -> Running | None:
        """Return what ran before, in this thread."""
        if torch.compiler.is_compiling():
            before, self._traced = self._traced, running
            return before
        before, self._thread.current = getattr(self._thread, "current", None), running
        with self._lock:
            self._settle([*self._held, (threading.get_ident(), running)])
        return before

    def _leave(self, running: Running, before: Running | None) -> None:
        if torch.compiler.is_compiling():
            self._traced = before
            return
        self._thread.current = before
        with self._lock:
            self._settle([entry for entry in self._held if entry[1] is not running])

    def _settle(self, held: list[tuple[int, Running]]) -> None:
        self._held, self._shared = held, len({thread for thread, _ in held}) > 1
        self._latest = held[-1][1] if held and not self._shared else None

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
