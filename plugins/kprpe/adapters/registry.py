"""The open list of adapters: the attentions that KP-RPE goes into."""

from __future__ import annotations

from torch import nn

from .base import KeypointAttention

_ADAPTERS: list[type[KeypointAttention]] = []


def register_adapter(adapter: type[KeypointAttention]) -> type[KeypointAttention]:
    """Put ``adapter`` before those in the list (a class decorator); one that is defined again takes its old place."""
    same = (adapter.__module__, adapter.__qualname__)
    _ADAPTERS[:] = [adapter, *(known for known in _ADAPTERS if (known.__module__, known.__qualname__) != same)]
    return adapter


def adapter_for(module: nn.Module) -> type[KeypointAttention] | None:
    """Return the first adapter that matches ``module``, or None if it is no attention that KP-RPE fits."""
    return next((adapter for adapter in _ADAPTERS if adapter.matches(module)), None)


def known_attentions() -> str:
    """Return what the adapters are for, as a message lists it."""
    return ", ".join(adapter.fits for adapter in reversed(_ADAPTERS))
