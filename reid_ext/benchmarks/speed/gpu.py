"""Images per second of ResNet50 with StRA, and with the convolutions that it replaces."""

from __future__ import annotations

from functools import partial
from itertools import product
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from plugins.benchmarks.gpu.attention import BATCHES, LAYOUTS
from plugins.benchmarks.gpu.tables import Part
from plugins.benchmarks.gpu.throughput import PRECISIONS, autocast, measure

from .networks import BASE, IDENTITIES, OURS, SIZE

NETWORKS = (BASE, OURS, "resnet50_conv_mode")
LIMIT = 1.0  # seconds of a phase at most


def parts(
    device: torch.device, repeats: int, batches: tuple[int, ...] = BATCHES, size: tuple[int, int] = SIZE
) -> list[Part]:
    """Return what measures :data:`NETWORKS` on random images of ``size`` (height, width), a part for each setting."""
    from ... import register
    from ...host import torchreid

    register()
    torch.manual_seed(0)
    build = partial(torchreid.models.build_model, loss="softmax", pretrained=False, use_gpu=False)
    networks = {name: build(name, IDENTITIES).to(device) for name in NETWORKS}

    def part(batch: int, layout: str, precision: str) -> list[dict[str, Any]]:
        memory_format = LAYOUTS[layout]
        for network in networks.values():
            network.to(memory_format=memory_format)
        images = torch.randn(batch, 3, *size, device=device).to(memory_format=memory_format)
        steps = {"forward": partial(_infer, images, precision), "train step": partial(_learn, images, precision)}
        label = f"batch {batch}, {layout}, {precision}"
        return measure(networks, steps, batch, repeats, LIMIT, label, precision=precision, layout=layout)

    return [partial(part, *setting) for setting in product(batches[::-1], LAYOUTS, PRECISIONS)]


def _infer(images: Tensor, precision: str, network: nn.Module) -> Tensor:
    network.eval()
    with torch.no_grad(), autocast(images.device, precision):
        return network(images)


def _learn(images: Tensor, precision: str, network: nn.Module) -> None:
    network.train().zero_grad()
    labels = torch.arange(len(images), device=images.device) % IDENTITIES
    with autocast(images.device, precision):
        loss = F.cross_entropy(network(images), labels)
    loss.backward()
