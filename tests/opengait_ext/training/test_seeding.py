"""Batches that follow from seed and number, and leave the surrounding generators alone."""

import random

import numpy as np
import torch

from opengait_ext.training.seeding import (
    FRAMES,
    SAMPLING,
    SeededBatches,
    SeededCollate,
    SeededDataset,
    seed_everything,
    seeded,
)


class Sampler:
    def __iter__(self):
        while True:
            yield [*torch.randperm(100)[:3].tolist(), random.randrange(100), int(np.random.randint(100))]


def draws():
    return random.random(), np.random.rand(), torch.rand(1).item()


def test_seeded_leaves_the_stream_alone():
    seed_everything(1, 2, 0)
    plain = [draws(), draws()]
    seed_everything(1, 2, 0)
    first = draws()
    with seeded(5, 6, 0, SAMPLING):
        inner = draws()
    assert [first, draws()] == plain and inner not in plain


def test_streams_differ():
    """Seed, batch, rank and stream each change every generator."""
    seen = []
    changed = ((0, 0, 0, SAMPLING), (1, 0, 0, SAMPLING), (0, 1, 0, SAMPLING), (0, 0, 1, SAMPLING), (0, 0, 0, FRAMES))
    for arguments in changed:
        with seeded(*arguments):
            seen.append(draws())
    assert all(len(set(column)) == len(seen) for column in zip(*seen, strict=True))


def test_batches_follow_from_their_number():
    """Starting at batch 3 gives what an uninterrupted sampler gives from there on."""
    whole, later = SeededBatches(Sampler(), 7), SeededBatches(Sampler(), 7)
    later.start = 3
    batches = [batch for batch, _ in zip(whole, range(6), strict=False)]
    torch.rand(5)
    assert [batch for batch, _ in zip(later, range(3), strict=False)] == batches[3:]
    assert len({str(batch) for batch in batches}) == 6


def test_frames_follow_from_the_batch():
    """The collate function draws by the number of the batch, whoever calls it."""
    data = SeededDataset([(["sequence"], ["label"])] * 4)
    collate = SeededCollate(lambda samples: (samples, draws()), seed=0, rank=0)
    (samples, first), (_, again), (_, other) = (collate([data[(b, 0)], data[(b, 1)]]) for b in (4, 4, 5))
    assert first == again != other
    assert samples == [(["sequence"], ["label"])] * 2
    assert len(data) == 4
