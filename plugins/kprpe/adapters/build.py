"""The KP-RPE of one attention, as the settings say."""

from __future__ import annotations

from collections.abc import Sequence

from ..config import KPRPEConfig
from ..position.global_grid import KeypointRPE
from ..position.windows import WindowedKeypointRPE


def build_global(config: KPRPEConfig, heads: int, grid: Sequence[int], prefix_tokens: int = 0) -> KeypointRPE:
    """Return KP-RPE for global attention over ``grid`` (rows, columns) after some class or register tokens."""
    return KeypointRPE(config.num_keypoints, tuple(grid), heads, 1, prefix_tokens=prefix_tokens, **_shared(config))


def build_windowed(
    config: KPRPEConfig,
    heads: int,
    window: Sequence[int],
    shift: Sequence[int],
    feature_size: Sequence[int] | None,
    roll_first: bool = False,
) -> WindowedKeypointRPE:
    """Return KP-RPE for windows of (rows, columns) or (frames, rows, columns); the latter shrink to short axes.

    ``roll_first``: see :class:`WindowedKeypointRPE`.
    """
    size, shrink = None if feature_size is None else tuple(feature_size), len(window) == 3
    return WindowedKeypointRPE(
        config.num_keypoints,
        size,
        window,
        heads,
        [shift],
        grid=config.windows_grid,
        shrink=shrink,
        roll_first=roll_first,
        **_shared(config),
    )


def _shared(config: KPRPEConfig) -> dict:
    names = ("formulation", "distance", "ratio", "standardised", "keypoints", "rotary")
    return {name: getattr(config, name) for name in names}
