"""Randomness that follows from (seed, batch number, rank), whatever the number of workers and wherever a run starts."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch.utils.data import Dataset

SAMPLING, FRAMES, STEP = range(3)  # streams that must differ for one batch


def seed_everything(seed: int, batch: int, rank: int, stream: int = STEP) -> None:
    """Seed Python's, NumPy's and torch's generators (all devices)."""
    state = [int(word) for word in np.random.SeedSequence([seed, batch, rank, stream]).generate_state(3)]
    random.seed(state[0])
    np.random.seed(state[1])
    torch.manual_seed(state[2])


@contextmanager
def seeded(seed: int, batch: int, rank: int, stream: int) -> Iterator[None]:
    """Run a block with generators of its own; the surrounding ones (CPU) go on as if it had not been."""
    states = random.getstate(), np.random.get_state(), torch.get_rng_state()
    words = [int(word) for word in np.random.SeedSequence([seed, batch, rank, stream]).generate_state(3)]
    random.seed(words[0])
    np.random.seed(words[1])
    torch.default_generator.manual_seed(words[2])
    try:
        yield
    finally:
        random.setstate(states[0])
        np.random.set_state(states[1])
        torch.set_rng_state(states[2])


class SeededBatches:
    """The host's batch sampler, asked for one batch at a time, each from its own seed; the same on all ranks.

    ``start`` is the number of the first batch. Items are (batch number, index), for :class:`SeededDataset`.
    """

    def __init__(self, sampler: Any, seed: int) -> None:
        self.sampler, self.seed, self.start = sampler, seed, 0

    def __iter__(self) -> Iterator[list[tuple[int, int]]]:
        batch = self.start
        while True:
            with seeded(self.seed, batch, 0, SAMPLING):
                indices = next(iter(self.sampler))
            yield [(batch, index) for index in indices]
            batch += 1


class SeededDataset(Dataset):
    """The host's data set, whose samples also carry the number of their batch."""

    def __init__(self, dataset: Dataset) -> None:
        self.dataset = dataset

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, item: tuple[int, int]) -> tuple:
        batch, index = item
        return (*self.dataset[index], batch)


class SeededCollate:
    """The host's collate function, choosing frames by the batch's own seed."""

    def __init__(self, collate: Callable[[Sequence], Any], seed: int, rank: int) -> None:
        self.collate, self.seed, self.rank = collate, seed, rank

    def __call__(self, samples: Sequence[tuple]) -> Any:
        with seeded(self.seed, samples[0][-1], self.rank, FRAMES):
            return self.collate([sample[:-1] for sample in samples])
