"""Randomness that follows from (seed, batch number, rank), whatever the number of workers and wherever a run starts."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import distributed, nn
from torch.utils.data import DataLoader, Dataset

from .pretreatment import Prepared, Pretreatment
from .ring import RingLoader

SAMPLING, FRAMES, STEP = range(3)  # streams that must differ for one batch


def seed_everything(seed: int, batch: int, rank: int, stream: int = STEP) -> None:
    """Seed Python's, NumPy's and torch's generators (all devices)."""
    state = [int(word) for word in np.random.SeedSequence([seed, batch, rank, stream]).generate_state(3)]
    random.seed(state[0])
    np.random.seed(state[1])
    torch.manual_seed(state[2])


def generators() -> tuple:
    """Return the states of Python's, NumPy's and torch's generators (CPU)."""
    return random.getstate(), np.random.get_state(), torch.get_rng_state()


def set_generators(states: tuple) -> None:
    """Put the generators into the states that :func:`generators` returned."""
    random.setstate(states[0])
    np.random.set_state(states[1])
    torch.set_rng_state(states[2])


@contextmanager
def seeded(seed: int, batch: int, rank: int, stream: int) -> Iterator[None]:
    """Run a block with generators of its own; the surrounding ones (CPU) go on as if it had not been."""
    states = generators()
    words = [int(word) for word in np.random.SeedSequence([seed, batch, rank, stream]).generate_state(3)]
    random.seed(words[0])
    np.random.seed(words[1])
    torch.default_generator.manual_seed(words[2])
    try:
        yield
    finally:
        set_generators(states)


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
    """The host's collate function, choosing frames by the batch's own seed, and transforming by the step's if it does.

    A batch that is transformed brings the states that the generators then have, from which the step goes on.
    """

    def __init__(self, collate: Callable[[Sequence], Any], seed: int, rank: int) -> None:
        self.collate, self.seed, self.rank = collate, seed, rank

    def __call__(self, samples: Sequence[tuple]) -> Any:
        number, samples = samples[0][-1], [sample[:-1] for sample in samples]
        transforms = isinstance(self.collate, Pretreatment)
        with seeded(self.seed, number, self.rank, FRAMES):
            batch = (self.collate.collate if transforms else self.collate)(samples)
        if not transforms:
            return batch
        with seeded(self.seed, number, self.rank, STEP):
            prepared = self.collate.transform(batch)
            prepared.generators = generators()
        return prepared


class Seeded:
    """Part of :class:`opengait_ext.training.hosted.Hosted`: ``trainer_cfg.seed``.

    With it sampling, frame choice, augmentation and model randomness follow from seed, batch number and rank alone, so
    that a resumed run on a CPU goes on bit for bit; without it the host's own random stream is used.
    """

    def __init__(self, cfgs: Mapping[str, Any], training: bool) -> None:
        self.batches = 0  # drawn so far; ahead of `iteration` by the steps that AMP skipped
        super().__init__(cfgs, training)

    @property
    def seed(self) -> int | None:
        """``trainer_cfg.seed`` of a training run."""
        return self.cfgs["trainer_cfg"].get("seed")

    def get_loader(self, data_cfg: Mapping, train: bool = True) -> DataLoader:
        """Return the loader; with a seed its training batches follow from it."""
        loader = super().get_loader(data_cfg, train)
        if not train or self.seed is None:
            return loader
        self.seeded = SeededBatches(loader.batch_sampler, self.seed)
        return RingLoader(
            SeededDataset(loader.dataset),
            batch_sampler=self.seeded,
            collate_fn=SeededCollate(loader.collate_fn, self.seed, distributed.get_rank()),
            num_workers=loader.num_workers,
            worker_init_fn=loader.worker_init_fn,
            pin_memory=loader.pin_memory,
            slot_bytes=loader.slot_bytes,
        )

    def inputs_pretreament(self, inputs: tuple | Prepared) -> tuple:
        """Count a training batch, and seed what is drawn from here on."""
        if self.training:
            if self.seed is not None:
                seed_everything(self.seed, self.batches, distributed.get_rank())
                if isinstance(inputs, Prepared) and inputs.generators is not None:
                    set_generators(inputs.generators)
            self.batches += 1
        return super().inputs_pretreament(inputs)

    @staticmethod
    def run_train(model: nn.Module) -> None:
        """Train from the first batch that this run has not drawn."""
        module = getattr(model, "module", model)
        if module.seed is not None:
            module.seeded.start = module.batches
        super(Seeded, type(module)).run_train(model)
