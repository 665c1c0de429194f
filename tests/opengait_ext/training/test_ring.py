"""Memory shared with workers: batches that are held stay as they are, and slots are used again."""

import gc

import numpy as np
import pytest
from torch.utils.data import Dataset

from opengait_ext.training.ring import ARRAYS, HELD, RINGS, SMALL, Ring, RingLoader, empty, shared

SHAPE = (2, 3, 4)
BYTES = 4 * 24


class Numbers(Dataset):
    """Its i-th item says i."""

    def __len__(self):
        return 40

    def __getitem__(self, index):
        return index


class Filled:
    """A collate function that makes an array of the batch's first number."""

    def __init__(self, shape=SHAPE):
        self.shape = shape

    def __call__(self, items):
        array = empty(self.shape)
        array[:] = items[0]
        return array


class Shared(Filled):
    """Its arrays are large, and copied into slots."""

    def __call__(self, items):
        return [shared(np.full((SMALL,), items[0], np.float32)), shared(np.full((3,), items[0], np.float32))]


def loader(workers=1, size=BYTES, shape=SHAPE):
    return RingLoader(Numbers(), batch_size=1, num_workers=workers, collate_fn=Filled(shape), slot_bytes=size)


def place(array):
    return array.__array_interface__["data"][0]


@pytest.mark.parametrize("workers", [0, 1, 2])
def test_batches_that_are_gone_leave_their_slots(workers):
    """All numbers come; with workers they lie in few places, with none each has its own memory."""
    places = set()
    iterator = iter(loader(workers))
    for i, array in enumerate(iterator):
        assert type(array) is np.ndarray and array.shape == SHAPE and array.dtype == np.float32
        assert (array == i).all() and array.flags.writeable
        places.add(place(array))
    if workers:
        memory = np.frombuffer(iterator.ring.memory, np.uint8)
        assert all(0 <= at - place(memory) < len(memory) for at in places)
        assert 1 < len(places) <= workers * ARRAYS * (2 + HELD)


def test_batches_that_are_held_stay():
    """More of them than there are slots, and parts of them: none is written over."""
    held = []
    for array in loader():
        held.append(array[1:, ..., ::2])
        del array
    assert [int(part[0, 0, 0]) for part in held] == list(range(40)) and all(np.ptp(part) == 0 for part in held)


def test_two_iterators_do_not_share():
    """Each has workers and memory of its own."""
    ours = loader()
    one, other = iter(ours), iter(ours)
    for i in range(12):
        first, second = next(one), next(other)
        assert (first == i).all() and (second == i).all() and place(first) != place(second)
    assert one.ring is not other.ring


def test_what_does_not_fit_goes_through_the_pipe():
    """Larger arrays than a slot, and loaders without slots."""
    for size in (BYTES - 1, 0):
        large = (2000,) if size else SHAPE
        assert [int(array.flat[0]) for array in loader(size=size, shape=large)] == list(range(40))


def test_large_arrays_are_shared():
    """Small ones, and those of other types, stay what they are."""
    ours = RingLoader(Numbers(), batch_size=1, num_workers=1, collate_fn=Shared(), slot_bytes=4 * SMALL)
    iterator = iter(ours)
    memory = np.frombuffer(iterator.ring.memory, np.uint8)
    for i, (large, small) in enumerate(iterator):
        assert (large == i).all() and (small == i).all()
        assert 0 <= place(large) - place(memory) < len(memory)
        assert not 0 <= place(small) - place(memory) < len(memory)
    numbers = np.zeros(SMALL)
    assert shared(numbers) is numbers


def test_memory_ends_with_its_user():
    """The ring is gone when the iterator and the batches are; no loader leaves it to later ones."""
    iterator = iter(loader())
    number, array = iterator.ring.number, next(iterator)
    del iterator
    gc.collect()
    assert (array == 0).all()
    del array
    gc.collect()
    assert number not in RINGS
    assert type(empty((2,))) is np.ndarray


def test_slots():
    """Whole pages, apart from one another and from the flags."""
    ring = Ring(2, 3, 10)
    for slot in range(6):
        ring.array(slot, (2,))[:] = slot
    assert [ring.array(slot, (2,)).tolist() for slot in range(6)] == [[slot] * 2 for slot in range(6)]
    assert not ring.flags.any() and ring.size == 4096
