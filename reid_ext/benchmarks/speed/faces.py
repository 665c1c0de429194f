"""What KP-RPE and its landmark detector cost in the ViT for faces: Table 3 of the KP-RPE paper."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from plugins.benchmarks.speed.measure import interleaved
from plugins.landmarks import LandmarkDetector

from ...models.faces import FaceViT
from ...models.faces.transformers import NETWORKS

SIDE = 112
BATCHED = ("bmm", "baddbmm")
PLAIN, KPRPE, DETECTED = "ViT {}", "ViT {} + KP-RPE", "ViT {} + KP-RPE (+ landmarks)"
GIGA, MEGA = 1e9, 1e6


class WithDetector(nn.Module):
    """The network fed with the landmarks that the detector finds on the same images."""

    def __init__(self, network: FaceViT) -> None:
        super().__init__()
        self.network, self.detector = network, LandmarkDetector().eval().requires_grad_(False)

    def forward(self, images: Tensor, _: Tensor) -> Tensor:
        """Map images (B, 3, H, W) to features; the landmarks given are not used."""
        return self.network(images, self.detector(images)[0])


def networks(size: str) -> dict[str, nn.Module]:
    """Build the plain network, the one with KP-RPE, and that with the detector before it, of a size of Table 3."""
    build = NETWORKS[f"vit_{size}_face"]
    plain, kprpe = build(SIDE), build(SIDE, kprpe={})
    named = {PLAIN: plain, KPRPE: kprpe, DETECTED: WithDetector(kprpe)}
    return {name.format(size): network for name, network in named.items()}


def run(device: torch.device, repeats: int, batch: int, size: str) -> dict[str, dict[str, Any]]:
    """Measure parameters, operations of an image, and images per second, by network.

    A train step is forward, cross-entropy of the features and backward, without classifier and optimiser; landmarks
    are found once, before training, so that the detector costs nothing there.

    Args:
        device: that everything runs on.
        repeats: counted rounds.
        batch: images at a time, 2 or more.
        size: ``tiny``, ``small`` or ``base``.
    """
    built = {name: network.to(device) for name, network in networks(size).items()}
    images = torch.rand(batch, 3, SIDE, SIDE, device=device) * 2 - 1
    points = torch.rand(batch, 5, 2, device=device)
    results = {name: {"parameters": count(network), **operations(network, device)} for name, network in built.items()}
    attention = results[PLAIN.format(size)]["batched"]  # q.k and a.v, the same in all of them
    for found in results.values():
        found["operations without attention"] = found["operations"] - attention
    steps: dict[str, Callable[[nn.Module], Callable[[], None]]] = {
        "eval": lambda network: partial(infer, network, images, points),
        "train": lambda network: partial(learn, network, images, points),
    }
    for phase, step in steps.items():
        timed = {name: network for name, network in built.items() if phase == "eval" or "landmarks" not in name}
        seconds = interleaved({name: step(network) for name, network in timed.items()}, repeats, phase)
        for name, values in seconds.items():
            results[name][f"{phase} images/s"] = batch / statistics.median(values)
    return results


def count(network: nn.Module) -> int:
    """Return the number of parameters."""
    return sum(parameter.numel() for parameter in network.parameters())


def operations(network: nn.Module, device: torch.device) -> dict[str, int]:
    """Return the operations of an image, a multiply and an add apart, and how many are of batched products.

    In the plain network these are q.k and a.v, which the paper's GFLOP leave out.
    """
    image, points = torch.zeros(1, 3, SIDE, SIDE, device=device), torch.full((1, 5, 2), 0.5, device=device)
    with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:  # fused kernels are not counted
        infer(network, image, points)
    counts = counter.get_flop_counts()["Global"].items()
    batched = sum(value for operator, value in counts if operator.__name__.split(".")[0] in BATCHED)
    return {"operations": counter.get_total_flops(), "batched": batched}


def infer(network: nn.Module, images: Tensor, points: Tensor) -> None:
    """Forward as in a test."""
    with torch.no_grad():
        network.eval()(images, points)


def learn(network: nn.Module, images: Tensor, points: Tensor) -> None:
    """Forward and backward; the classifier and the optimiser are the same for all and left out."""
    network.train().zero_grad()
    features = network(images, points)
    F.cross_entropy(features, torch.arange(len(features), device=features.device) % features.shape[1]).backward()


def table(results: dict[str, dict[str, Any]]) -> str:
    """Return the results as a Markdown table, as Table 3 has them."""
    columns = ("network", "GFLOP", "GFLOP with q.k and a.v", "eval img/s", "train img/s", "parameters")
    lines = [f"| {' | '.join(columns)} |", "|---|---|---|---|---|---|"]
    for name, found in results.items():
        trained = found.get("train images/s")
        cells = [
            name,
            f"{found['operations without attention'] / GIGA:.2f}",
            f"{found['operations'] / GIGA:.2f}",
            f"{found['eval images/s']:.2f}",
            f"{trained:.2f}" if trained else "as above",
            f"{found['parameters'] / MEGA:.2f} M",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)
