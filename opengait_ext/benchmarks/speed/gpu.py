"""Frames per second of SwinGait-2D with and without KP-RPE, at the paper's batch and at what a GPU's memory holds."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import torch
from torch import nn

from plugins.benchmarks.gpu.tables import Part
from plugins.benchmarks.gpu.throughput import PRECISIONS, autocast, measure, peak_bytes

from .scaling import SIZES, batch_of, forward, host_models

SEQUENCES, FRAMES = 128, 30  # 32 people x 4, the paper's batch
TRIED = 2  # sequences whose memory tells how many fit
ROOM = 0.8  # of the free memory
LIMIT = 2.5  # seconds of a phase at most
FORMS = {
    " + KP-RPE": (),
    " + second order": ("model_cfg.kprpe.formulation=second_order", "model_cfg.kprpe.grid=image"),
    " + nonlinear": ("model_cfg.kprpe.formulation=nonlinear", "model_cfg.kprpe.grid=image"),
    " + rotary, body": (
        "model_cfg.kprpe.formulation=none",
        "model_cfg.kprpe.rotary=body",
        "model_cfg.kprpe.grid=image",
    ),
}
NAME = "SwinGait-2D"


def parts(
    device: torch.device,
    repeats: int,
    host: str = "embedded",
    size: str = "full",
    sequences: int = SEQUENCES,
    frames: int = FRAMES,
) -> list[Part]:
    """Return what measures networks of ``size`` over a host in each precision; images are silhouettes.

    ``sequences`` are halved until a train step's predicted memory fits; the rows say how many were taken.
    """
    return [partial(part, device, repeats, host, size, sequences, frames, precision) for precision in PRECISIONS]


def part(
    device: torch.device, repeats: int, host: str, size: str, sequences: int, frames: int, precision: str
) -> list[dict[str, Any]]:
    """Measure the networks in one precision; arguments as :func:`parts` has them."""
    plain, with_keypoints = SIZES[size]
    with host_models(device.type, host) as build:
        networks = {NAME: build(plain)}
        networks |= {f"{NAME}{suffix}": build(with_keypoints, settings) for suffix, settings in FORMS.items()}
        for network in networks.values():
            fit_pose(network)
        taken = fitting(networks[f"{NAME} + nonlinear"], sequences, frames, device, precision)
        batches = {network: batch_of(network, taken, frames) for network in networks.values()}
        steps = {
            "forward": partial(infer, batches, device, precision),
            "train step": partial(learn, batches, device, precision),
        }
        label = f"{NAME}, {taken} x {frames}, {precision}"
        setting = {"precision": precision, "batch": f"{taken} x {frames}"}
        return measure(networks, steps, taken * frames, repeats, LIMIT, label, **setting)


def infer(batches: Mapping, device: torch.device, precision: str, network: nn.Module) -> None:
    """Run the network as a test does."""
    with autocast(device, precision):
        forward(network, batches[network])


def learn(batches: Mapping, device: torch.device, precision: str, network: nn.Module) -> None:
    """Forward, backward of a plain loss over what the host's losses get, and the optimiser's step."""
    network.train()
    with autocast(device, precision):
        outputs = network(batches[network])["training_feat"]
    seen = outputs["triplet"]["embeddings"], outputs["softmax"]["logits"]
    network.optimizer.zero_grad()
    sum(values.float().square().mean() for values in seen).backward()
    network.optimizer.step()


def fit_pose(network: nn.Module) -> None:
    """Give the forms that want it a mean pose, and leave out what a training run logs as pictures."""
    network.engine_cfg["log_iter"] = network.engine_cfg["total_iter"] + 1
    if hasattr(network, "kprpe"):
        network.looks_for_pose = False
        network.kprpe.fit_pose(torch.rand(1000, 17, 2))


def fitting(network: nn.Module, sequences: int, frames: int, device: torch.device, precision: str) -> int:
    """Return ``sequences``, halved until a train step's memory, linear in them, leaves room on the device."""
    if device.type != "cuda":
        return sequences
    step = partial(learn, {network: batch_of(network, TRIED, frames)}, device, precision)
    step(network)  # the optimiser's state is there from now on
    needed = peak_bytes(network, partial(step, network)) / TRIED
    torch.cuda.empty_cache()
    free = torch.cuda.mem_get_info()[0]
    while sequences > TRIED and sequences * needed > ROOM * free:
        sequences //= 2
    return sequences
