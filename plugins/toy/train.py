"""One run: a variant trained as a protocol says with a seed, and tested."""
from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..errors import KpstraError
from .affine import place
from .digits import Digits, Source
from .network import ToyNetwork
from .protocol import TESTS, TRAINING

BATCH, TEST_BATCH = 32, 500
LEARNING_RATE, TABLE_RATE, WEIGHT_DECAY, SMOOTHING = 2e-3, 2e-2, 0.05, 0.05
WARM_UP = 0.2  # part of the steps in which the learning rate rises


def train(
    variant: str, protocol: str, seed: int, source: Source, steps: int, device: torch.device,
    note: Callable[[int, float], None],
) -> ToyNetwork:  # fmt: skip
    """Train a network; batches, places and initial weights follow from the seed alone.

    Args:
        variant, protocol: keys of ``VARIANTS`` and ``TRAINING``.
        note: called with the step and its loss.

    Raises:
        KpstraError: the loss is no number.
    """
    torch.manual_seed(seed)
    network = ToyNetwork(variant).to(device).train()
    tables = network.tables()
    others = [p for p in network.parameters() if all(p is not table for table in tables)]
    groups = [{"params": others, "weight_decay": WEIGHT_DECAY, "lr": LEARNING_RATE}]
    if tables:
        groups.append({"params": tables, "weight_decay": 0.0, "lr": TABLE_RATE})
    optimizer = torch.optim.AdamW(groups, betas=(0.9, 0.99))
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, [group["lr"] for group in groups], total_steps=steps, pct_start=WARM_UP
    )
    generator = torch.Generator().manual_seed(seed)
    for step in range(steps):
        canvases, keypoints, labels = batch(source.train, protocol, generator, device)
        loss = F.cross_entropy(network(canvases, keypoints), labels, label_smoothing=SMOOTHING)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        value = loss.item()
        if value != value:
            raise KpstraError(f"{variant}, {protocol}, seed {seed}: the loss of step {step} is no number")
        note(step, value)
    return network


def batch(digits: Digits, protocol: str, generator: torch.Generator, device: torch.device) -> tuple[Tensor, ...]:
    """Draw digits and their places: canvases, keypoints and labels."""
    chosen = torch.randint(len(digits.labels), (BATCH,), generator=generator)
    picked = Digits(*(part[chosen] for part in digits))
    canvases, keypoints = place(picked, *TRAINING[protocol].draw(BATCH, generator))
    return canvases.to(device), keypoints.to(device), picked.labels.to(device)


@torch.no_grad()
def accuracy(network: ToyNetwork, digits: Digits, test: str, device: torch.device) -> float:
    """Return the percentage of test digits recognised; every digit's place in a test is drawn once and for all."""
    network.eval()
    generator = torch.Generator().manual_seed(list(TESTS).index(test))
    right = 0
    for start in range(0, len(digits.labels), TEST_BATCH):
        part = Digits(*(values[start : start + TEST_BATCH] for values in digits))
        canvases, keypoints = place(part, *TESTS[test].motion.draw(len(part.labels), generator))
        guesses = network(canvases.to(device), keypoints.to(device)).argmax(dim=1)
        right += int((guesses.cpu() == part.labels).sum())
    return 100 * right / len(digits.labels)
