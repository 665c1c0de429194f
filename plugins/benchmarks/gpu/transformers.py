"""Table 3 of the KP-RPE paper: what a position bias costs a vision transformer."""

from __future__ import annotations

from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from ...kprpe import KPRPEHandle, inject_kprpe
from ..speed.kprpe import SHAPES, Shape, Transformer
from .tables import Part
from .throughput import PRECISIONS, autocast, measure

BATCH, LIMIT = 64, 1.5  # images; seconds of a phase at most
VARIANTS = {
    "": "none",
    " + plain relative table": "plain RPE",
    " + iRPE": "iRPE contextual",
    " + KP-RPE": "KP-RPE ours",
    " + KP-RPE, formula written out": "KP-RPE naive",
    " + second order": "second order",
    " + nonlinear": "nonlinear",
    " + rotary, body": "rotary, body",
}
INJECTED = ("", " + KP-RPE", " + second order")  # in timm's network


def parts(device: torch.device, repeats: int, names: tuple[str, ...] = ("ViT-S", "ViT-B")) -> list[Part]:
    """Return what measures the blocks of every transformer under each bias, and timm's whole network with KP-RPE."""
    return [
        partial(measured, name, SHAPES[name]._replace(batch=BATCH), device, repeats, precision)
        for measured in (_blocks, _networks)
        for precision in PRECISIONS
        for name in names
    ]


def _blocks(name: str, shape: Shape, device: torch.device, repeats: int, precision: str) -> list[dict[str, Any]]:
    torch.manual_seed(0)
    networks = {f"{name} blocks{suffix}": Transformer(shape, v).to(device) for suffix, v in VARIANTS.items()}
    x = torch.randn(shape.batch, shape.height * shape.width, shape.dim, device=device)
    points = torch.rand(shape.batch, shape.keypoints, 2, device=device)
    return _measured(networks, lambda net: net(x, points), shape.batch, repeats, device, precision)


def _networks(name: str, shape: Shape, device: torch.device, repeats: int, precision: str) -> list[dict[str, Any]]:
    torch.manual_seed(0)
    networks = {f"timm {name}{suffix}": _timm(shape, VARIANTS[suffix]).to(device) for suffix in INJECTED}
    images = torch.randn(shape.batch, 3, 8 * shape.height, 8 * shape.width, device=device)
    points = torch.rand(shape.batch, shape.keypoints, 2, device=device)
    handles = {net: KPRPEHandle(net) for suffix, net in zip(INJECTED, networks.values(), strict=True) if suffix}

    def forward(net: nn.Module) -> Tensor:
        if net not in handles:
            return net(images)
        with handles[net].set_keypoints(points):
            return net(images)

    return _measured(networks, forward, shape.batch, repeats, device, precision)


def _timm(shape: Shape, variant: str) -> nn.Module:
    from timm.models import VisionTransformer

    network = VisionTransformer(
        img_size=(8 * shape.height, 8 * shape.width),
        patch_size=8,
        num_classes=shape.dim,
        global_pool="avg",
        embed_dim=shape.dim,
        depth=shape.depth,
        num_heads=shape.heads,
        mlp_ratio=shape.ratio,
        class_token=False,
    )
    if variant != "none":
        formulation = "second_order" if variant == "second order" else "multihead"
        inject_kprpe(network, {"num_keypoints": shape.keypoints, "formulation": formulation})
    return network


def _measured(networks, forward, batch, repeats, device, precision) -> list[dict[str, Any]]:
    steps = {
        "forward": partial(_infer, forward, device, precision),
        "train step": partial(_learn, forward, device, precision),
    }
    label = f"{next(iter(networks))}, {precision}"
    return measure(networks, steps, batch, repeats, LIMIT, label, precision=precision)


def _infer(forward, device: torch.device, precision: str, net: nn.Module) -> Tensor:
    net.eval()
    with torch.no_grad(), autocast(device, precision):
        return forward(net)


def _learn(forward, device: torch.device, precision: str, net: nn.Module) -> None:
    net.train().zero_grad()
    with autocast(device, precision):
        loss = forward(net).float().square().mean()
    loss.backward()
