"""Which sequences make a batch. All processes draw the same batch and take every n-th sequence of it."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Sequence

import torch
from torch import distributed
from torch.utils.data import Sampler
from utils import run_device

from .dataset import DataSet


class TripletSampler(Sampler):
    """Endless batches of P identities with K sequences each.

    Args:
        dataset: what to draw from.
        batch_size: (P, K).
        batch_shuffle: mix the sequences of a batch.
    """

    def __init__(self, dataset: DataSet, batch_size: Sequence[int], batch_shuffle: bool = False) -> None:
        if not isinstance(batch_size, Sequence) or len(batch_size) != 2:
            raise ValueError(f"TripletSampler: batch_size {batch_size}: expected [identities, sequences of each]")
        self.dataset, self.batch_size, self.batch_shuffle = dataset, batch_size, batch_shuffle
        self.world_size, self.rank = _processes("TripletSampler", batch_size[0] * batch_size[1])

    def __iter__(self) -> Iterator[list[int]]:
        identities, each = self.batch_size
        while True:
            batch = []
            for label in sync_random_sample_list(self.dataset.label_set, identities):
                batch += sync_random_sample_list(self.dataset.indices_dict[label], each)
            if self.batch_shuffle:
                batch = sync_random_sample_list(batch, len(batch))
            yield batch[self.rank :: self.world_size]

    def __len__(self) -> int:
        return len(self.dataset)


class CommonSampler(Sampler):
    """Endless batches of any sequences.

    Args:
        dataset: what to draw from.
        batch_size: sequences in a batch.
        batch_shuffle: without effect, as a batch is drawn in random order; part of the configuration.
    """

    def __init__(self, dataset: DataSet, batch_size: int, batch_shuffle: bool) -> None:
        if not isinstance(batch_size, int):
            raise ValueError(f"CommonSampler: batch_size {batch_size}: expected one whole number")
        self.dataset, self.batch_size, self.batch_shuffle = dataset, batch_size, batch_shuffle
        self.size = len(dataset)
        self.world_size, self.rank = _processes("CommonSampler", batch_size)

    def __iter__(self) -> Iterator[list[int]]:
        while True:
            batch = sync_random_sample_list(range(self.size), self.batch_size, common_choice=True)
            yield batch[self.rank :: self.world_size]

    def __len__(self) -> int:
        return len(self.dataset)


class InferenceSampler(Sampler):
    """Every sequence once, in order; the first ones again where the last batch is not full.

    Args:
        dataset: what to go through.
        batch_size: sequences in a batch of all processes together.
    """

    def __init__(self, dataset: DataSet, batch_size: int) -> None:
        self.dataset, self.batch_size = dataset, batch_size
        world_size, rank = _processes("InferenceSampler", batch_size)
        indices = list(range(len(dataset)))
        self.size = math.ceil(len(dataset) / batch_size) * batch_size
        indices += indices[: self.size - len(dataset)]
        share = batch_size // world_size
        batches = [indices[i : i + share] for i in range(0, self.size, share)]
        self.idx_batch_this_rank = batches[rank::world_size]

    def __iter__(self) -> Iterator[list[int]]:
        yield from self.idx_batch_this_rank

    def __len__(self) -> int:
        return len(self.dataset)


def sync_random_sample_list(obj_list: Sequence, k: int, common_choice: bool = False) -> list:
    """Draw ``k`` of ``obj_list``, the same in all processes: without replacement, unless there are fewer than ``k``."""
    if common_choice:  # OpenGait draws these and drops them: do so too, so that the numbers that follow are the same
        random.choices(range(len(obj_list)), k=k)
    if len(obj_list) < k:
        chosen = torch.tensor(random.choices(range(len(obj_list)), k=k))
    else:
        chosen = torch.randperm(len(obj_list))[:k]
    chosen = chosen.to(run_device())
    distributed.broadcast(chosen, src=0)
    return [obj_list[i] for i in chosen.tolist()]


def _processes(sampler: str, batch_size: int) -> tuple[int, int]:
    """Return the number of processes and this one's."""
    world_size = distributed.get_world_size()
    if batch_size % world_size:
        raise ValueError(f"{sampler}: a batch of {batch_size} sequences cannot be shared by {world_size} processes")
    return world_size, distributed.get_rank()
