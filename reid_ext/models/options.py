"""What torchreid's factory cannot be told: the images' size, and the ``kprpe`` and ``stra`` settings of a model."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Options:
    """Size (height, width) of the images, ``None`` being the model's own; what differs in ``kprpe`` and ``stra``."""

    size: tuple[int, int] | None = None
    kprpe: Mapping[str, Any] = field(default_factory=dict)
    stra: Mapping[str, Any] = field(default_factory=dict)


_CURRENT: ContextVar[Options] = ContextVar("options", default=Options())  # noqa: B039  it is frozen


def current() -> Options:
    """Return the options that models are built with now."""
    return _CURRENT.get()


@contextmanager
def building(
    size: tuple[int, int] | None = None, kprpe: Mapping[str, Any] | None = None, stra: Mapping[str, Any] | None = None
) -> Iterator[None]:
    """Let torchreid's factory build models for images of ``size``, with ``kprpe`` and ``stra``, in the block.

    ``stra`` holds arguments of :class:`plugins.stra.StRAttention` that differ from the defaults; for models whose
    keypoints are modes, ``groups``.

    Example:
        >>> with building((384, 128), {"formulation": "nonlinear", "standardised": True, "grid": "image"}):
        ...     model = torchreid.models.build_model("swin_tiny_kprpe", 751, pretrained=False)
    """
    before = _CURRENT.set(Options(size and tuple(size), dict(kprpe or {}), dict(stra or {})))
    try:
        yield
    finally:
        _CURRENT.reset(before)


def network_settings(
    name: str, kprpe: Mapping[str, Any] | None = None, stra: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Return by dotted key what a network of this name is built with.

    >>> network_settings("resnet50_stra", stra={"gate": "softmax"})
    {'model.name': 'resnet50_stra', 'stra.gate': 'softmax'}
    """
    sections = {"kprpe": kprpe or {}, "stra": stra or {}}
    given = {f"{section}.{key}": value for section, values in sections.items() for key, value in values.items()}
    return {"model.name": name, **given}
