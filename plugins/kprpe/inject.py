"""Putting KP-RPE into a built network in place, and taking it out again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from typing import NamedTuple

import torch
from torch import Tensor, nn

from ..errors import KpstraError
from .adapters import (
    GlobalAttention,
    KeypointAttention,
    PartitioningAttention,
    SequenceWindowAttention,
    WindowAttention,
    adapted,
    recognise,
)
from .config import KPRPEConfig
from .context import KeypointContext, Keypoints
from .position.global_grid import KeypointRPE
from .position.table import check_finite
from .position.windows import WindowedKeypointRPE

TABLE = "relative_position_bias_table"


class Injected(NamedTuple):
    """One injected attention."""

    name: str
    heads: int
    window: tuple[int, ...] | None  # None for global attention
    shift: tuple[int, ...] | None
    grid: str | tuple[int, int]  # window or image; the patch grid of global attention


class KPRPEHandle:
    """The injected attentions of a network: sets their keypoints, lists and removes them."""

    def __init__(self, module: nn.Module) -> None:
        self.attentions = {n: m for n, m in module.named_modules() if isinstance(m, KeypointAttention)}
        if not self.attentions:
            raise KpstraError(f"{type(module).__name__}: no KP-RPE in it; call inject_kprpe first")
        self.context: KeypointContext = next(iter(self.attentions.values())).kprpe_context

    def set_keypoints(
        self, points: Tensor | Keypoints, confidence: Tensor | None = None
    ) -> AbstractContextManager[None]:
        """Return a context in which the network sees these keypoints: ``with handle.set_keypoints(p): y = net(x)``.

        Args:
            points: (B, L, 2) in (x, y) of the network input, or (B, T, L, 2) per frame.
            confidence: (B, L) or (B, T, L); 0 for absent joints.

        Raises:
            KpstraError: NaN or infinite values.
        """
        keypoints = points if isinstance(points, Keypoints) else Keypoints(points, confidence)
        if not torch.compiler.is_compiling():
            check_finite(*keypoints)
        return self.context.set(keypoints)

    @property
    def layers(self) -> list[Injected]:
        """The injected attentions in the network's order."""
        return [_describe(name, attention) for name, attention in self.attentions.items()]

    def __str__(self) -> str:
        return "\n".join(
            f"{i:2d} {at.name}: {at.heads} heads, "
            + (f"grid {at.grid}" if at.window is None else f"window {at.window}, shift {at.shift}, grid {at.grid}")
            for i, at in enumerate(self.layers)
        )

    def parameters(self) -> Iterator[nn.Parameter]:
        """Yield KP-RPE's parameters once each; they take no weight decay."""
        seen = {id(p): p for attention in self.attentions.values() for p in attention.kprpe.parameters()}
        yield from seen.values()

    def load_reference(self, weight: Tensor, bias: Tensor) -> None:
        """Load the authors' linear layer for all attentions, (sum of heads*K, 2L) and (sum of heads*K,), in order."""
        tables = [attention.kprpe for attention in self.attentions.values()]
        if tables[0].formulation in ("absolute", "relative"):
            tables = tables[:1]
        sizes = [table.table_bias.numel() for table in tables]
        if weight.shape[0] != sum(sizes) or bias.shape[0] != sum(sizes):
            raise KpstraError(f"load_reference: {weight.shape[0]} and {bias.shape[0]} outputs, expected {sum(sizes)}")
        for table, w, b in zip(tables, weight.split(sizes), bias.split(sizes), strict=True):
            table.load_reference(w, b)

    def remove(self) -> None:
        """Restore the network: its classes and, after ``mode="replace"``, its tables with their values."""
        for attention in self.attentions.values():
            if attention.kprpe_removed is not None:
                attention.register_parameter(TABLE, attention.kprpe_removed[0])
            device = attention.qkv.weight.device
            for name in [name for name in vars(attention) if name.startswith("kprpe_")]:
                delattr(attention, name)
            del attention.kprpe
            attention.__class__ = type(attention).__bases__[1]
            attention.to(device)
        self.attentions = {}


def inject_kprpe(module: nn.Module, config: KPRPEConfig | Mapping, **overrides) -> KPRPEHandle:
    """Swap the position bias of every attention in ``module`` for KP-RPE, in place.

    Knows torchvision's ``ShiftedWindowAttention`` and ``3d``, timm's ``WindowAttention`` and ViT ``Attention``, and
    OpenGait's ``WindowAttention3D``. Weights and state-dict names of all else stay; each attention gains
    ``kprpe.table_weight`` and ``kprpe.table_bias``, which start at zero.

    Args:
        module: a built network.
        config: :class:`KPRPEConfig` or a mapping of its fields.
        **overrides: fields to set on top, such as ``mode="add"``.

    Raises:
        KpstraError: nothing to inject into (lists what was seen), or a wrong setting.
    """
    config = KPRPEConfig.of(config, **overrides)
    if any(isinstance(m, KeypointAttention) for m in module.modules()):
        raise KpstraError(f"inject_kprpe: {type(module).__name__} has KP-RPE already; remove() it first")
    found = {name: (m, adapter) for name, m in module.named_modules() if (adapter := recognise(m)) is not None}
    if not found:
        seen = dict.fromkeys(type(m).__name__ for m in module.modules() if not list(m.children()))
        attentions = [name for name in dict.fromkeys(type(m).__name__ for m in module.modules()) if "ttention" in name]
        raise KpstraError(
            f"inject_kprpe: no attention that KP-RPE fits in {type(module).__name__}; seen: "
            f"{', '.join(attentions or seen)}. Known are torchvision's ShiftedWindowAttention(3d), timm's "
            "WindowAttention and Attention, OpenGait's WindowAttention3D"
        )
    context = KeypointContext()
    built = {name: _build(module, name, attention, adapter, config) for name, (attention, adapter) in found.items()}
    first = next(iter(built.values()))
    for name, (attention, adapter) in found.items():
        rpe = built[name]
        if config.formulation in ("absolute", "relative"):  # one table for all heads and layers
            rpe.table_weight, rpe.table_bias = first.table_weight, first.table_bias
        reference = attention.qkv.weight
        replaces = config.mode == "replace" and hasattr(attention, TABLE)
        removed = (getattr(attention, TABLE),) if replaces else None
        if replaces:
            attention.register_parameter(TABLE, None)
        attention.__class__ = adapted(adapter, type(attention))
        attention.kprpe = rpe.to(reference.device)
        attention.kprpe_context, attention.kprpe_removed = context, removed
        attention.kprpe_adds = config.mode == "add" and hasattr(attention, TABLE)
        attention.kprpe_scales = config.scale_bias
    return KPRPEHandle(module)


def _build(
    root: nn.Module, name: str, attention: nn.Module, adapter: type[KeypointAttention], config: KPRPEConfig
) -> KeypointRPE | WindowedKeypointRPE:
    shared = {"formulation": config.formulation, "distance": config.distance, "ratio": config.ratio}
    ancestors = [root, *(root.get_submodule(name[:i]) for i, c in enumerate(name) if c == ".")]
    if adapter is GlobalAttention:
        owner = next((m for m in reversed(ancestors) if hasattr(getattr(m, "patch_embed", None), "grid_size")), None)
        if owner is None:
            raise KpstraError(f"inject_kprpe: {name}: no ancestor has patch_embed.grid_size, so the grid is unknown")
        prefix = getattr(owner, "num_prefix_tokens", 0)
        grid = tuple(owner.patch_embed.grid_size)
        return KeypointRPE(config.num_keypoints, grid, attention.num_heads, 1, prefix_tokens=prefix, **shared)
    block, feature_size = ancestors[-1], config.feature_size
    if adapter is WindowAttention:
        feature_size = tuple(block.input_resolution)
    if config.grid == "image" and feature_size is None and adapter is SequenceWindowAttention:
        raise KpstraError(f"kprpe.feature_size: missing; grid 'image' needs the (H, W) of the tokens at {name}")
    shift = attention.shift_size if adapter is PartitioningAttention else block.shift_size
    shrink = len(attention.window_size) == 3
    return WindowedKeypointRPE(
        config.num_keypoints,
        feature_size,
        attention.window_size,
        attention.num_heads,
        [shift],
        grid=config.grid,
        shrink=shrink,
        **shared,
    )


def _describe(name: str, attention: KeypointAttention) -> Injected:
    rpe = attention.kprpe
    if isinstance(rpe, KeypointRPE):
        return Injected(name, attention.num_heads, None, None, rpe.grid_size)
    return Injected(name, attention.num_heads, tuple(attention.window_size), rpe.shifts[0], rpe.grid)
