"""Memory that a loader's workers share with the training process, written again and again: no batch is copied to it.

A worker makes its batch in a slot of its own and sends the slot's number; the training process looks at the slot as an
array, and the slot is free again when nobody holds that array any more. Where no slot is free or large enough, or
workers are not forked, arrays go through the worker's pipe. The memory is anonymous, whatever the size of /dev/shm.
"""

from __future__ import annotations

import itertools
import mmap
import weakref
from typing import Any

import numpy as np
from torch.utils.data import DataLoader, get_worker_info

FLAGS = 4096  # bytes in front of the slots, one for each: 0 is free
HELD = 2  # batches that the training process holds at most, beside those that wait for it
ARRAYS = 2  # of a batch: silhouettes and keypoints; memory that is never written costs nothing
SMALL = 1 << 14  # bytes that may as well go through the pipe, whose 64 kB then hold a whole batch
NUMBERS = itertools.count()
RINGS: weakref.WeakValueDictionary[int, Ring] = weakref.WeakValueDictionary()
_current: Ring | None = None  # of the loader whose workers are being forked, and for good in those workers


class Ring:
    """Slots for arrays of float32.

    Args:
        workers: of the loader.
        slots: of each worker.
        size: bytes of a slot.
    """

    def __init__(self, workers: int, slots: int, size: int) -> None:
        self.slots, self.size, self.number = slots, -(-size // FLAGS) * FLAGS, next(NUMBERS)
        self.memory = mmap.mmap(-1, FLAGS + workers * slots * self.size)
        self.flags = np.frombuffer(self.memory, np.uint8, workers * slots)
        RINGS[self.number] = self

    def array(self, slot: int, shape: tuple[int, ...]) -> np.ndarray:
        """Return a slot as a flat array of as many numbers as ``shape`` has."""
        return np.frombuffer(self.memory, np.float32, int(np.prod(shape)), FLAGS + slot * self.size)

    def free(self, slot: int) -> None:
        """Let the worker use the slot again."""
        self.flags[slot] = 0


class SharedArray(np.ndarray):
    """An array in a slot, in the worker that fills it; pickled, it is the slot's number."""

    ring: int
    slot: int

    def __reduce_ex__(self, protocol: int) -> tuple[Any, ...]:
        """Send the number."""
        return received, (self.ring, self.slot, self.shape)


def received(ring: int, slot: int, shape: tuple[int, ...]) -> np.ndarray:
    """Return what a worker put into a slot, which is free when the array and all that looks at it are gone."""
    found = RINGS[ring]
    flat = found.array(slot, shape)
    weakref.finalize(flat, found.free, slot).atexit = False
    return flat.reshape(shape)


def empty(shape: tuple[int, ...]) -> np.ndarray:
    """Return an array of float32 to fill, in a slot if there is one for it."""
    worker, ring = get_worker_info(), _current
    if worker is None or ring is None or 4 * int(np.prod(shape)) > ring.size:
        return np.empty(shape, np.float32)
    for slot in range(worker.id * ring.slots, (worker.id + 1) * ring.slots):
        if not ring.flags[slot]:
            ring.flags[slot] = 1
            shared = ring.array(slot, shape).reshape(shape).view(SharedArray)
            shared.ring, shared.slot = ring.number, slot
            return shared
    return np.empty(shape, np.float32)


def shared(array: np.ndarray) -> np.ndarray:
    """Return an array in a slot, unless it is in one, is small, or is of another type."""
    if isinstance(array, SharedArray) or array.dtype != np.float32 or array.nbytes <= SMALL:
        return array
    copy = empty(array.shape)
    copy[...] = array
    return copy


class RingLoader(DataLoader):
    """A loader whose workers have a :class:`Ring`, a new one whenever it is iterated.

    Args:
        arguments: of torch's loader.
        slot_bytes: of the largest array of a batch; 0 for no ring.
    """

    def __init__(self, *arguments: Any, slot_bytes: int = 0, **more: Any) -> None:
        self.slot_bytes = slot_bytes
        super().__init__(*arguments, **more)

    def __iter__(self) -> Any:
        """Start the workers."""
        global _current
        if not self.num_workers or not self.slot_bytes:
            return super().__iter__()
        try:
            _current = Ring(self.num_workers, ARRAYS * (self.prefetch_factor + HELD), self.slot_bytes)
        except OSError:  # the system promises no more memory
            return super().__iter__()
        try:
            iterator = super().__iter__()
            iterator.ring = _current
            return iterator
        finally:
            _current = None
