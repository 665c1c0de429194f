"""Putting KP-RPE into a built network in place, and taking it out again."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from ..errors import KpstraError
from .adapters import KeypointAttention, Place
from .adapters.base import adapted, has
from .adapters.registry import adapter_for, known_attentions
from .config import KPRPEConfig
from .context import KeypointContext
from .keypoints import Keypoints, check_keypoints
from .position.global_grid import KeypointRPE
from .position.pose import moments
from .position.share import image_share
from .position.windows import WindowedKeypointRPE

WRAPPERS = re.compile("DistributedDataParallel|FullyShardedDataParallel|FSDP|.*ScriptModule")


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
        self, points: Tensor | np.ndarray | Keypoints, confidence: Tensor | np.ndarray | None = None
    ) -> AbstractContextManager[None]:
        """Return a context in which the network sees these keypoints: ``with handle.set_keypoints(p): y = net(x)``.

        Args:
            points: (B, L, 2), (x, y) in [0, 1] of the network input (:func:`normalise_keypoints` makes them from
                pixels), or (B, T, L, 2) per frame; NumPy arrays come to the network's device.
            confidence: (B, L) or (B, T, L); 0 for absent joints.

        Raises:
            KpstraError: wrong shape or type, NaN or infinite values, or pixels.
        """
        if not self.attentions:
            raise KpstraError("set_keypoints: KP-RPE was removed from the network; call inject_kprpe again")
        keypoints = points if isinstance(points, Keypoints) else Keypoints(points, confidence)
        keypoints = Keypoints(*map(self._tensor, keypoints))
        self._check_shapes(*keypoints)
        if not torch.compiler.is_compiling():
            check_keypoints(*keypoints)
        return self.context.set(keypoints)

    def _tensor(self, values: Tensor | np.ndarray | None) -> Tensor | None:
        if isinstance(values, np.ndarray):
            return torch.as_tensor(values, device=next(iter(self.attentions.values())).kprpe.index.device)
        if values is not None and not isinstance(values, Tensor):
            raise KpstraError(f"KP-RPE: keypoints: expected a tensor or a NumPy array, got {type(values).__name__}")
        return values

    def _check_shapes(self, points: Tensor, confidence: Tensor | None) -> None:
        joints = next(iter(self.attentions.values())).kprpe.num_keypoints
        if points.ndim not in (3, 4) or points.shape[-2:] != (joints, 2) or not points.is_floating_point():
            raise KpstraError(
                f"KP-RPE: keypoints: expected floating (B, {joints}, 2) or (B, T, {joints}, 2), "
                f"got {points.dtype} {tuple(points.shape)}"
            )
        if confidence is not None and confidence.shape != points.shape[:-1]:
            raise KpstraError(
                f"KP-RPE: confidence: expected {tuple(points.shape[:-1])} as the keypoints have, "
                f"got {tuple(confidence.shape)}"
            )

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

    def fit_pose(self, points: Tensor, confidence: Tensor | None = None) -> None:
        """Give every table that wants it the mean pose of a training set and the spread around it, before training.

        Args:
            points: (..., L, 2), some thousands of poses as :meth:`set_keypoints` will be given them.
            confidence: (..., L); weights the poses, joint by joint.

        Raises:
            KpstraError: NaN or infinite values of joints that are not absent.
        """
        poses = [a.kprpe.pose for a in self.attentions.values() if a.kprpe.pose is not None]
        check_keypoints(points.flatten(0, -3), None if confidence is None else confidence.flatten(0, -2))
        if poses:
            mean, spread = moments(points, confidence)
            for pose in poses:
                pose.set(mean, spread, points.shape[:-2].numel())

    @torch.no_grad()
    def image_shares(self, points: Tensor, confidence: Tensor | None = None) -> dict[str, float]:
        """Return, by attention, the share of B's variance that these images decide, see :func:`image_share`.

        Near 0 the table acts as one without keypoints. Rotary positions without a bias have none, and are left out.

        Args:
            points, confidence: as for :meth:`set_keypoints`.

        Raises:
            KpstraError: the windows' frame is the image, and the network does not tell the size of its maps.
        """
        frames = points.shape[1] if points.ndim == 4 else 1
        points = points.flatten(0, -3)
        confidence = None if confidence is None else confidence.flatten(0, -2)
        shares = {}
        for name, attention in self.attentions.items():
            rpe = attention.kprpe
            if rpe.formulation == "none":
                continue
            factors = rpe.factors(points, confidence)
            bias = rpe.bias(factors, 0) if isinstance(rpe, KeypointRPE) else rpe.frame_bias(factors, 0, frames)
            shares[name] = image_share(bias).item()
        return shares

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
            weight = next(attention.parameters())
            for name, table in attention.kprpe_removed.items():
                setattr(attention, name, table)
            for name in [name for name in vars(attention) if name.startswith("kprpe_")]:
                delattr(attention, name)
            del attention.kprpe
            attention.__class__ = type(attention).__bases__[1]
            attention.to(weight)  # tables were not there when the network moved
        self.attentions = {}


def inject_kprpe(module: nn.Module, config: KPRPEConfig | Mapping, **overrides) -> KPRPEHandle:
    """Swap the position bias of every attention in ``module`` for KP-RPE, in place.

    Knows the attentions of torchvision's Swin, Swin V2, Video Swin and ViT, and of timm's Swin, Swin V2, ViT, EVA, BEiT
    and vit_relpos; :func:`register_adapter` adds others. Weights and state-dict names of all else stay; each attention
    gains ``kprpe.table_weight`` and ``kprpe.table_bias``, which start at zero. Inject before the optimiser is built and
    before the network is wrapped for several devices: both must know the new parameters.

    Args:
        module: a built network.
        config: :class:`KPRPEConfig` or a mapping of its fields.
        **overrides: fields to set on top, such as ``mode="add"``.

    Raises:
        KpstraError: nothing to inject into (lists what was seen), an attention of a known kind that KP-RPE does not fit
            (says why), or a wrong setting. The network is as it was.

    Example:
        >>> network = torchvision.models.swin_t(weights="DEFAULT")
        >>> handle = inject_kprpe(network, {"num_keypoints": 17}, mode="add")
        >>> points = normalise_keypoints(pixels, images.shape[-2:])  # (B, 17, 2)
        >>> with handle.set_keypoints(points, confidence):
        ...     logits = network(images)
    """
    config = KPRPEConfig.of(config, **overrides)
    if any(isinstance(m, KeypointAttention) for m in module.modules()):
        raise KpstraError(f"inject_kprpe: {type(module).__name__} has KP-RPE already; remove() it first")
    wrapped = next((m for m in module.modules() if WRAPPERS.match(type(m).__name__)), None)
    if wrapped is not None:
        raise KpstraError(f"inject_kprpe: {type(wrapped).__name__}: inject into the network before it is wrapped")
    found = {name: (m, adapter) for name, m in module.named_modules() if (adapter := adapter_for(m)) is not None}
    _check_found(module, found)
    context = KeypointContext()
    places = {name: Place(name, _ancestors(module, name)) for name in found}
    built = {name: _build(attention, adapter, places[name], config) for name, (attention, adapter) in found.items()}
    first = next(iter(built.values()))
    for name, (attention, adapter) in found.items():
        rpe, weight = built[name], next(attention.parameters())
        for shared in rpe.shared_parameters():  # one table, or one hidden layer, for all attentions
            setattr(rpe, shared, getattr(first, shared))
        tables = {table: getattr(attention, table) for table in adapter.replaces if has(attention, table)}
        removed = tables if config.mode == "replace" else {}
        for table in removed:
            setattr(attention, table, None)
        attention.__class__ = adapted(adapter, type(attention))
        attention.kprpe = rpe.to(weight.device, torch.promote_types(weight.dtype, torch.float32))
        attention.kprpe_context, attention.kprpe_removed = context, removed
        attention.kprpe_adds = config.mode == "add" and bool(tables)
        attention.kprpe_scales = config.scale_bias
        sized = adapter.sized(places[name])
        attention.kprpe_sized = None if sized is None else (sized, tuple(getattr(*sized)))
    return KPRPEHandle(module)


def _check_found(module: nn.Module, found: Mapping) -> None:
    """Refuse a network without an attention that KP-RPE fits; warn of attentions that stay without."""
    names = [n for n, m in module.named_modules() if re.search("ttention|Attn", type(m).__name__)]
    left = [n for n in names if not any(f"{n}.".startswith(f"{f}.") or f"{f}.".startswith(f"{n}.") for f in found)]
    kinds = dict.fromkeys(type(module.get_submodule(name)).__name__ for name in left)
    if not found:
        seen = kinds or dict.fromkeys(type(m).__name__ for m in module.modules() if not list(m.children()))
        raise KpstraError(
            f"inject_kprpe: no attention that KP-RPE fits in {type(module).__name__}; seen: {', '.join(seen)}. "
            f"Known are {known_attentions()}; register_adapter takes others"
        )
    if left:
        warnings.warn(
            f"inject_kprpe: {len(left)} attentions of {type(module).__name__} stay without KP-RPE: {', '.join(kinds)} "
            f"(the first is {left[0]})",
            stacklevel=3,
        )


def _ancestors(root: nn.Module, name: str) -> tuple[nn.Module, ...]:
    return (root, *(root.get_submodule(name[:i]) for i, c in enumerate(name) if c == "."))


def _build(
    attention: nn.Module, adapter: type[KeypointAttention], place: Place, config: KPRPEConfig
) -> KeypointRPE | WindowedKeypointRPE:
    try:
        return adapter.build(attention, place, config)
    except KpstraError as error:
        raise KpstraError(f"inject_kprpe: {place.name} ({type(attention).__name__}): {error}") from error


def _describe(name: str, attention: KeypointAttention) -> Injected:
    rpe = attention.kprpe
    if isinstance(rpe, KeypointRPE):
        return Injected(name, attention.num_heads, None, None, rpe.grid_size)
    return Injected(name, attention.num_heads, tuple(attention.window_size), rpe.shifts[0], rpe.grid)
