"""KP-RPE for windowed attention (Swin), in the plane and over time."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from ...errors import KpstraError, one_of
from . import direct
from .buckets import relative_buckets
from .compact import expand_to_windows
from .direct import Joints
from .expansion import monomials
from .lookup import add_into, lookup, lookup_features, lookup_queries
from .partition import effective_window
from .rotary import Rotation, rotation
from .table import Factors, KeypointTable
from .window_queries import GRIDS, buckets_of, default_grid, frames_of_windows, query_grid, remembered


class WindowedKeypointRPE(KeypointTable):
    """Attention biases for the shifted windows of one stage.

    ``grid="window"`` is the paper's section 5: M is the window's own grid, so all windows of a frame share one bias.
    ``grid="image"`` is the authors' face Swin: M is the feature map's grid; f(P) is padded, rolled and cut with the
    tokens (padded queries get zero), so every window has a static part of its own; the image's coefficients are shared
    in both. It is the default of what has interaction, ``second_order``, ``nonlinear`` and ``rotary``: M and P, which
    they relate, must be of one frame. With ``window`` a joint lies in every window where it lies in the image.

    Over time (a window of three axes) the distance is the product over all axes, and the keypoints are those of the
    query token's frame.

    Args:
        num_keypoints: L.
        feature_size: (H, W) of the stage's tokens; ``None`` if :meth:`frame_bias` is given it or the grid needs none.
        window_size: (h, w) or (t, h, w).
        num_heads: of the stage.
        shifts: one (sh, sw) or (st, sh, sw) for each layer.
        grid: see above; ``None`` for the formulation's default.
        formulation, distance, ratio, standardised, keypoints, rotary: see :class:`KeypointRPE`.
        shrink: windows longer than an axis shrink to it, as OpenGait's and torchvision's 3-D windows do.
        roll_first: the features are rolled before they are padded, and by ``shifts`` as they are (timm).
    """

    def __init__(
        self,
        num_keypoints: int,
        feature_size: tuple[int, int] | None,
        window_size: Sequence[int],
        num_heads: int,
        shifts: Sequence[Sequence[int]],
        grid: str | None = None,
        formulation: str = "multihead",
        distance: str = "product",
        ratio: float = 1.9,
        shrink: bool = False,
        roll_first: bool = False,
        standardised: bool = False,
        keypoints: str = "given",
        rotary: str = "none",
    ) -> None:
        grid = default_grid(formulation, rotary) if grid is None else grid
        one_of(grid, GRIDS, "grid")
        if len(window_size) not in (2, 3) or any(len(shift) != len(window_size) for shift in shifts):
            raise KpstraError(f"KP-RPE: window_size {window_size} and shifts {shifts}: expected 2 axes each, or 3 each")
        over_time = len(window_size) == 3
        time = window_size[0] if over_time and window_size[0] > 1 else None
        index, num_buckets = relative_buckets(*window_size[-2:], distance, ratio, time)
        form = (formulation, standardised, keypoints, rotary)
        super().__init__(num_keypoints, num_buckets, num_heads, len(shifts), *form)
        self.feature_size = None if feature_size is None else tuple(feature_size)
        self.window_size = tuple(window_size) if over_time else (1, *window_size)
        self.shifts = [tuple(shift) if over_time else (0, *shift) for shift in shifts]
        self.over_time = time is not None
        self.grid, self.distance, self.ratio, self.shrink = grid, distance, ratio, shrink
        self.roll_first = roll_first
        self.register_buffer("index", index.clone(), persistent=False)

    def factors(
        self, keypoints: Tensor, confidence: Tensor | None = None, finite: bool = False, known: dict | None = None
    ) -> Factors:
        """As :meth:`KeypointTable.factors`, for keypoints (B, L, 2) or per frame (B, T, L, 2); the batch is B * T."""
        if keypoints.ndim == 4:
            keypoints = keypoints.flatten(0, 1)
            confidence = None if confidence is None else confidence.flatten(0, 1)
        return super().factors(keypoints, confidence, finite, known)

    def bias(self, keypoints: Tensor, layer: int, confidence: Tensor | None = None) -> Tensor:
        """Return the bias of one layer for every window, (B * windows, heads, n, n), in Swin's order of windows.

        Args:
            keypoints: (B, L, 2), or per frame (B, T, L, 2).
        """
        if self.feature_size is None:
            raise KpstraError("WindowedKeypointRPE.bias: built without feature_size: the number of windows is unknown")
        frames = keypoints.shape[1] if keypoints.ndim == 4 else 1
        compact = self.frame_bias(self.factors(keypoints, confidence), layer, frames)
        return expand_to_windows(compact, keypoints.shape[0] * self.windows(layer, frames, self.feature_size))

    def windows(self, layer: int, frames: int, feature_size: tuple[int, int]) -> int:
        """Return the number of windows of one sequence of ``frames`` feature maps."""
        sizes = (frames, *feature_size)
        window, _ = self._effective(layer, frames, feature_size)
        count = 1
        for size, extent in zip(sizes, window, strict=True):  # not math.prod: an export has symbols for sizes
            count = count * -(-size // extent)
        return count

    def frame_bias(
        self, factors: Factors, layer: int, frames: int = 1, feature_size: tuple[int, int] | None = None
    ) -> Tensor:
        """Return the bias of one layer without copies for windows that share it.

        Args:
            factors: of B * frames images.
            frames: T, the length of a sequence.
            feature_size: (H, W); needed for ``grid="image"`` and for windows that can be longer than an axis.

        Returns:
            (B * T', windows or 1, heads, n, n) with T' windows over time (T' = T in the plane); batch 1 for ``static``.
        """
        window, shift, feature_size = self._sizes(layer, frames, feature_size)
        index = self._index(window)
        centres, valid = self._query_grid(window, shift, feature_size)
        if factors.joints is not None:
            return self._direct_bias(factors.joints, layer, (window, shift, feature_size), frames)
        key = (layer, window, shift, feature_size)
        weights = self.static_weights(layer)
        bias = self.cached(key, weights, lambda: self._static(layer, centres, valid, index)).unsqueeze(0)
        image = factors.layer(layer)
        if image is not None:
            image = self._by_window(image, window, shift, frames)
            changed = self._nonlinear if self.nonlinear else self._polynomial
            bias = add_into(changed(image, centres, valid, index, layer), bias)
        return bias.expand(-1, -1, self.num_heads, -1, -1)

    @torch.no_grad()
    def rotation(
        self,
        keypoints: Tensor,
        confidence: Tensor | None,
        head_dim: int,
        layer: int,
        frames: int = 1,
        feature_size: tuple[int, int] | None = None,
    ) -> Rotation:
        """Return how queries and keys of windows are rotated, compact as :meth:`frame_bias`: (F, S, 1, n, head_dim).

        Over time every token has the body's frame of its own frame, and its time in the window is an axis of its own.

        Args:
            keypoints, confidence: of B * frames images, (B * frames, L, 2) and (B * frames, L).
            head_dim: channels of a head.
            frames, feature_size: as for :meth:`frame_bias`.
        """
        window, shift, feature_size = self._sizes(layer, frames, feature_size)
        places = self._query_grid(window, shift, feature_size)[0].unsqueeze(0)  # 1, windows, n, 2
        if self.rotary == "body":
            linear, moved = (
                self._by_window(t, window, shift, frames) for t in self.frames(keypoints, confidence)
            )  # F, t, 2, 2 and F, t, 2
            by_frame = places.to(linear.dtype).unflatten(2, (linear.shape[1], -1))  # 1, windows, t, places, 2
            places = by_frame @ linear.transpose(2, 3).unsqueeze(1) + moved[:, None, :, None]
            places = places.flatten(2, 3)
        if self.over_time:
            time = torch.arange(window[0], device=places.device).repeat_interleave(math.prod(window[1:]))
            places = torch.cat((places, time.to(places).view(1, 1, -1, 1).expand(*places.shape[:2], -1, -1)), dim=-1)
        return rotation(places.unsqueeze(2), head_dim)

    def _sizes(self, layer: int, frames: int, feature_size: tuple[int, int] | None) -> tuple[tuple, tuple, tuple]:
        """Return the window and shift in use, and the map's size; any size does where neither depends on it."""
        feature_size = feature_size or self.feature_size
        if feature_size is None and self.grid == "image":
            raise KpstraError("KP-RPE: grid 'image' needs the feature_size (H, W) of the windows' tokens")
        feature_size = feature_size or self.window_size[1:]
        return *self._effective(layer, frames, feature_size), feature_size

    def _direct_bias(self, joints: Joints, layer: int, sizes: tuple, frames: int) -> Tensor:
        """Return B of one layer by :mod:`.direct`; ``sizes`` are those of :meth:`_sizes`."""
        window, shift, feature_size = sizes
        centres, valid = self._query_grid(window, shift, feature_size)

        def terms() -> Tensor:
            seen = (None if t is None else self._by_window(t, window, shift, frames) for t in joints[:2])
            by_frame = centres.unflatten(1, (window[0] if self.over_time else 1, -1))  # windows, t, places, 2
            offsets = direct.offsets(self, *seen, by_frame)
            return offsets if self.nonlinear else direct.with_one(offsets, valid)

        key = (*sizes, frames, self.grid, self.over_time, self.roll_first, *direct.kind(self))
        bias = direct.window_bias(self, joints.once(key, terms), valid, self._index(window), layer)
        return bias.expand(-1, -1, self.num_heads, -1, -1)

    def _polynomial(self, image: Tensor, centres: Tensor, valid: Tensor | None, index: Tensor, layer: int) -> Tensor:
        """Return the image's part of B from the queries' frames' coefficients (B * T', t, R, heads, K).

        Coefficients are looked up before they meet M: a window has fewer tokens than there are buckets.
        """
        rows = index.unflatten(-2, (image.shape[1], -1)).unbind(-3)  # (places, n) for each t
        rank = image.shape[2]
        if rank == 1:
            offset = _cat([lookup(of_frame, row) for of_frame, row in zip(image[:, :, 0].unbind(1), rows, strict=True)])
            offset = offset.unsqueeze(1)  # B * T', 1, heads, n, n
            return offset if valid is None else offset * valid.to(offset.dtype)[:, None, :, None]
        values = _cat([lookup(of_frame, row) for of_frame, row in zip(image.unbind(1), rows, strict=True)])
        basis = monomials(centres.to(values.dtype), rank)  # windows, n, R
        basis = basis if valid is None else basis * valid.to(basis.dtype).unsqueeze(-1)
        with torch.autocast(values.device.type, enabled=False):
            return torch.einsum("snr,frhnm->fshnm", basis, values)

    def _nonlinear(self, image: Tensor, centres: Tensor, valid: Tensor | None, index: Tensor, layer: int) -> Tensor:
        """Return the image's part of B from the queries' frames' coefficients (B * T', t, R, 1, hidden)."""
        basis = monomials(centres, 3).unflatten(1, (image.shape[1], -1))  # windows, t, places, 3
        hidden = self.hidden(image.squeeze(3).unsqueeze(1), basis).flatten(2, 3)  # B * T', windows, n, hidden
        if valid is not None:
            hidden = hidden * valid.to(hidden.dtype).unsqueeze(-1)
        weight = self.layer_weight(layer)
        with torch.autocast(hidden.device.type, enabled=False):
            if index.shape[-1] <= self.num_buckets:
                return lookup_features(hidden, weight, index)
            return lookup_queries((hidden.unsqueeze(2) @ weight.transpose(1, 2)), index)

    def _static(self, layer: int, centres: Tensor, valid: Tensor | None, index: Tensor) -> Tensor:
        windows = centres.shape[0]
        static = self.static(centres.flatten(0, 1), layer).unflatten(1, (windows, -1)).transpose(0, 1)
        if valid is not None:
            static = static * valid.to(static.dtype)[:, None, :, None]
        return lookup_queries(static, index)  # windows, heads, n, n

    def _by_window(self, values: Tensor, window: tuple, shift: tuple, frames: int) -> Tensor:
        """Cut values (B * T, ...) of frames into windows over time, (B * T', t, ...); t = 1 in the plane."""
        return frames_of_windows(values, window[0], shift[0], frames) if self.over_time else values.unsqueeze(1)

    def _query_grid(self, window: tuple, shift: tuple, feature_size: tuple) -> tuple[Tensor, Tensor | None]:
        """Return M of every window's queries (windows, n, 2), and which queries are real where some are padding."""
        roll = (shift, self.roll_first) if self.grid == "image" else ((0, 0, 0), False)
        return remembered(query_grid)(self.grid, window, *roll, feature_size, self.index.device)

    def _index(self, window: tuple) -> Tensor:
        if window == self.window_size:
            return self.index
        time = window[0] if self.over_time else None
        return remembered(buckets_of)(window[1:], self.distance, self.ratio, time, self.index.device)

    def _effective(self, layer: int, frames: int, feature_size: tuple) -> tuple[tuple, tuple]:
        if self.roll_first:
            return self.window_size, self.shifts[layer]
        return effective_window((frames, *feature_size), self.window_size, self.shifts[layer], self.shrink)


def _cat(parts: list[Tensor]) -> Tensor:
    """Join the rows of a window's frames; one frame alone is not copied."""
    return parts[0] if len(parts) == 1 else torch.cat(parts, dim=-2)
