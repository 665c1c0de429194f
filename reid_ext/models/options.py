"""What torchreid's factory cannot be told: the size of the images and the ``kprpe`` settings of a model."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Options:
    """Size (height, width) of the images, ``None`` being the model's own, and what differs in ``kprpe``."""

    size: tuple[int, int] | None = None
    kprpe: Mapping[str, Any] = field(default_factory=dict)


_CURRENT: ContextVar[Options] = ContextVar("options", default=Options())  # noqa: B039  it is frozen


def current() -> Options:
    """Return the options that models are built with now."""
    return _CURRENT.get()


@contextmanager
def building(size: tuple[int, int] | None = None, kprpe: Mapping[str, Any] | None = None) -> Iterator[None]:
    """Let torchreid's factory build models for images of ``size`` and with ``kprpe`` in the block.

    Example:
        >>> with building((384, 128), {"formulation": "nonlinear", "standardised": True, "grid": "image"}):
        ...     model = torchreid.models.build_model("swin_tiny_kprpe", 751, pretrained=False)
    """
    before = _CURRENT.set(Options(size and tuple(size), dict(kprpe or {})))
    try:
        yield
    finally:
        _CURRENT.reset(before)
