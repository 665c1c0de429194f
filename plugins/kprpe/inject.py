"""Putting KP-RPE into a built network, in place."""

from __future__ import annotations

import re
import warnings
from collections.abc import Mapping

import torch
from torch import nn

from ..errors import KpstraError
from .adapters import KeypointAttention, Place
from .adapters.base import adapted, has
from .adapters.registry import adapter_for, known_attentions
from .config import KPRPEConfig
from .context import KeypointContext
from .handle import KPRPEHandle
from .position.global_grid import KeypointRPE
from .position.windows import WindowedKeypointRPE

WRAPPERS = re.compile("DistributedDataParallel|FullyShardedDataParallel|FSDP|.*ScriptModule")


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
    if not isinstance(module, nn.Module):
        raise KpstraError(f"inject_kprpe: {module!r}: expected a built network, an nn.Module")
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
