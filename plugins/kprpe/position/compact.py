"""A bias that windows share, without copies: (F, S, heads, n, n) for F frames of S windows, either possibly 1."""

from __future__ import annotations

from torch import Tensor

from ...errors import KpstraError


def places_of(compact: Tensor, windows: int) -> int:
    """Return how many windows belong to one frame of a compact bias (F, S, heads, n, n).

    Raises:
        KpstraError: the windows are not those of F frames.
    """
    frames, places = compact.shape[:2]
    if not windows:  # an empty batch
        return places
    if not frames or windows % (frames * places):
        raise KpstraError(
            f"KP-RPE: keypoints of {frames} frames do not fit {windows} windows: "
            "set the keypoints of the very images that the network is given"
        )
    return places if places > 1 else windows // frames


def expand_to_windows(compact: Tensor, windows: int) -> Tensor:
    """Lay a compact bias (F, S, heads, n, n), F and S possibly 1, out over all windows: (windows, heads, n, n).

    A bias that all windows share comes as (1, heads, n, n).

    Raises:
        KpstraError: the windows are not those of F frames.
    """
    if compact.shape[:2] == (1, 1):
        return compact[0]
    places = places_of(compact, windows)
    return compact.expand(windows // places, places, -1, -1, -1).flatten(0, 1)
