"""One run: a variant trained as a protocol says with a seed, and tested."""

from __future__ import annotations

import math
from collections.abc import Callable
from statistics import mean

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...errors import KpstraError
from .affine import place
from .digits import Digits, Source
from .network import ToyNetwork
from .protocol import TESTS, TRAINING

RECIPE = {
    "batch": 32,
    "learning rate": 4e-3,
    "tables' learning rate": 2e-2,
    "weight decay": 0.05,
    "label smoothing": 0.05,
    "warm-up": 0.2,  # part of the steps in which the learning rates rise
}
TEST_CANVASES = 1000  # at least: fewer digits are placed several times
TEST_BATCH = 500
POSES = 1000  # behind the mean pose, and the share of the bias's variance


def train(
    variant: str,
    protocol: str,
    seed: int,
    source: Source,
    steps: int,
    device: torch.device,
    note: Callable[[int, float], None],
) -> ToyNetwork:
    """Train a network; batches, places and initial weights follow from the seed alone.

    Args:
        variant, protocol: keys of ``VARIANTS`` and ``TRAINING``.
        note: called with the step and its loss.

    Raises:
        KpstraError: the loss is NaN or infinite.
    """
    torch.manual_seed(seed)
    network = ToyNetwork(variant).to(device).train()
    network.fit_pose(*poses(source.train, protocol, device))
    tables = network.tables()
    others = [p for p in network.parameters() if all(p is not table for table in tables)]
    groups = [{"params": others, "weight_decay": RECIPE["weight decay"], "lr": RECIPE["learning rate"]}]
    if tables:
        groups.append({"params": tables, "weight_decay": 0.0, "lr": RECIPE["tables' learning rate"]})
    optimizer = torch.optim.AdamW(groups, betas=(0.9, 0.99), fused=True)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, [group["lr"] for group in groups], total_steps=steps, pct_start=RECIPE["warm-up"]
    )
    generator = torch.Generator().manual_seed(seed)
    for step in range(steps):
        canvases, keypoints, labels = batch(source.train, protocol, generator, device)
        logits, diversity = network.with_diversity(canvases, keypoints)
        loss = F.cross_entropy(logits, labels, label_smoothing=RECIPE["label smoothing"]) + diversity
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        value = loss.item()
        if value != value:
            raise KpstraError(f"{variant}, {protocol}, seed {seed}: the loss of step {step} is NaN or infinite")
        note(step, value)
    return network


def poses(digits: Digits, protocol: str, device: torch.device) -> tuple[Tensor, Tensor]:
    """Return canvases and keypoints (POSES, 5, 2) as training has them, the same for all seeds."""
    generator = torch.Generator().manual_seed(0)
    chosen = torch.arange(POSES) % len(digits.labels)
    picked = Digits(*(part[chosen] for part in digits))
    canvases, keypoints = place(picked, *TRAINING[protocol].draw(POSES, generator))
    return canvases.to(device), keypoints.to(device)


def image_share(network: ToyNetwork, digits: Digits, protocol: str, device: torch.device) -> float | None:
    """Return the share of B's variance that images decide, mean over layers; ``None`` for what is no KP-RPE bias."""
    shares = network.image_shares(*poses(digits, protocol, device))
    return mean(shares.values()) if shares else None


def batch(digits: Digits, protocol: str, generator: torch.Generator, device: torch.device) -> tuple[Tensor, ...]:
    """Draw digits and their places: canvases, keypoints and labels."""
    chosen = torch.randint(len(digits.labels), (RECIPE["batch"],), generator=generator)
    picked = Digits(*(part[chosen] for part in digits))
    canvases, keypoints = place(picked, *TRAINING[protocol].draw(RECIPE["batch"], generator))
    return canvases.to(device), keypoints.to(device), picked.labels.to(device)


@torch.no_grad()
def accuracy(network: ToyNetwork, digits: Digits, test: str, device: torch.device) -> float:
    """Return the percentage of test digits recognised; their places in a test are drawn once and for all."""
    network.eval()
    generator = torch.Generator().manual_seed(list(TESTS).index(test))
    order = torch.arange(len(digits.labels)).repeat(math.ceil(TEST_CANVASES / len(digits.labels)))
    right = 0
    for chosen in order.split(TEST_BATCH):
        part = Digits(*(values[chosen] for values in digits))
        canvases, keypoints = place(part, *TESTS[test].motion.draw(len(chosen), generator))
        guesses = network(canvases.to(device), keypoints.to(device)).argmax(dim=1)
        right += int((guesses.cpu() == part.labels).sum())
    return 100 * right / len(order)
