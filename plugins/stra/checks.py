"""Argument and input checks shared by the StRA modules."""

from __future__ import annotations

from torch import Tensor

from ..errors import KpstraError


def check_groups(channels: int, groups: int, **divided: int) -> None:
    """Raise unless ``groups`` (G) divides ``channels`` (C) and every further named channel count."""
    check_counts(groups=groups, channels=channels, **divided)
    for name, count in {"channels": channels, **divided}.items():
        if count % groups:
            raise KpstraError(f"StRA: {name} = {count} does not split into groups = {groups}: use a divisor of {count}")


def check_counts(**counts: int) -> None:
    """Raise unless every count is a whole number from 1."""
    for name, count in counts.items():
        if not isinstance(count, int) or count < 1:
            raise KpstraError(f"StRA: {name} = {count!r}: expected a whole number from 1")


def check_kernel(kernel_size: int) -> None:
    """Raise unless a neighbourhood of ``kernel_size`` (K) has a centre."""
    if not isinstance(kernel_size, int) or kernel_size < 1 or kernel_size % 2 == 0:
        raise KpstraError(f"StRA: kernel_size = {kernel_size!r} has no centre: use an odd number")


def check_feature_map(x: Tensor, channels: int, owner: str) -> None:
    """Raise unless ``x`` is a floating (B, C, H, W) tensor with C = ``channels``, none of them 0."""
    if not isinstance(x, Tensor):
        raise KpstraError(f"{owner}: expected a tensor (B, C, H, W), got {type(x).__name__}")
    if x.ndim != 4:
        raise KpstraError(f"{owner}: expected a (B, C, H, W) feature map, got shape {tuple(x.shape)}")
    if x.shape[1] != channels:
        raise KpstraError(f"{owner}: built for {channels} channels, got {x.shape[1]} (shape {tuple(x.shape)})")
    if 0 in x.shape:
        raise KpstraError(f"{owner}: the feature map is empty: shape {tuple(x.shape)}")
    if not x.is_floating_point():
        raise KpstraError(f"{owner}: expected a floating point feature map, got {x.dtype}: convert it with .float()")
