"""Where StRA's modes look: the maps behind the paper's Figs. 3 and 4, collected from a network by hooks."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from plugins.errors import KpstraError, one_of
from plugins.stra import StRAttention


class ModeMaps(NamedTuple):
    """Maps of one StRA block, each (images, G, h, w) float32."""

    local: np.ndarray  # magnitude of the local operator's output in each mode's channels
    mask: np.ndarray  # M: where the mode's vector is taken from, summing to one over positions
    coefficient: np.ndarray  # r: how strongly each node attends to the mode, in [0, 1]
    output: np.ndarray  # magnitude of the attention's output in each mode's channels


def find_block(model: nn.Module, name: str | None = None) -> StRAttention:
    """Return the StRA attention inside the block ``name`` (``layer4.0``), by default the network's first one.

    Raises:
        KpstraError: no such block, or one without mode attention.
    """
    found = {path: m for path, m in model.named_modules() if isinstance(m, StRAttention)}
    blocks = {path.rpartition(".")[0]: m for path, m in found.items()}
    if not blocks:
        raise KpstraError(f"{type(model).__name__} has no StRA block: choose a model whose name holds 'stra' or 'mode'")
    name = name or next(iter(blocks))
    one_of(name, blocks, "--block")
    if blocks[name].mode is None:
        raise KpstraError(f"{name} has no mode attention: there are no modes to show")
    return blocks[name]


@torch.no_grad()
def collect_maps(model: nn.Module, images: Tensor, block: str | None = None) -> ModeMaps:
    """Run ``images`` (B, 3, H, W) through ``model`` in evaluation mode and return the maps of one block."""
    attention = find_block(model, block)
    caught: list[ModeMaps] = []

    def catch(module: nn.Module, inputs: tuple[Tensor], outputs: tuple[Tensor, Tensor]) -> None:
        s, y = inputs[0], outputs[0]
        modes, (height, width), groups = module.modes(s), s.shape[-2:], module.groups
        maps = (
            s.unflatten(1, (groups, -1)).norm(dim=2),
            modes.mask.unflatten(2, (height, width)),
            modes.coefficients[:, :, 0].unflatten(2, (height, width)),
            y.unflatten(1, (groups, -1)).norm(dim=2),
        )
        caught.append(ModeMaps(*(m.float().cpu().numpy() for m in maps)))

    training = model.training
    handle = attention.mode.register_forward_hook(catch)
    try:
        model.eval()(images)
    finally:
        handle.remove()
        model.train(training)
    return caught[0]


def join(parts: list[ModeMaps]) -> ModeMaps:
    """Concatenate the maps of several batches."""
    return ModeMaps(*(np.concatenate(arrays) for arrays in zip(*parts, strict=True)))


def select_modes(mask: np.ndarray, count: int) -> list[int]:
    """Choose ``count`` modes to show down the body, by their mean masks (G, h, w).

    From top to bottom, for ``count`` equal bands of the height: the unused mode whose mask is centred nearest to the
    middle of the band.
    """
    height, width = mask.shape[1:]
    weights = mask / mask.sum(axis=(1, 2), keepdims=True)
    y = (weights.sum(axis=2) * (np.arange(height) + 0.5)).sum(axis=1) / height
    x = (weights.sum(axis=1) * (np.arange(width) + 0.5)).sum(axis=1) / width
    chosen: list[int] = []
    for band in range(min(count, len(mask))):
        distance = np.hypot(y - (band + 0.5) / min(count, len(mask)), (x - 0.5) * width / height)
        distance[chosen] = np.inf
        chosen.append(int(distance.argmin()))
    return chosen


def high_activation_share(coefficient: np.ndarray, share: float = 0.1) -> np.ndarray:
    """Return how often each place is among a mode's highest coefficients: (images, G, h, w) to (G, h, w) in [0, 1]."""
    flat = coefficient.reshape(*coefficient.shape[:2], -1)
    count = max(1, round(share * flat.shape[2]))
    threshold = np.sort(flat, axis=2)[:, :, -count, None]
    return (flat >= threshold).mean(axis=0).reshape(coefficient.shape[1:])
