"""KP-RPE for global attention over a grid of patches (ViT): the bias B_ij of eqs. 7 to 11."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...errors import KpstraError
from . import direct
from .buckets import relative_buckets
from .direct import Joints
from .expansion import monomials
from .lookup import add_into, lookup, lookup_queries
from .rotary import Rotation, rotation
from .separable import separable_lookup, separable_polynomial
from .table import Factors, KeypointTable


def patch_centres(height: int, width: int) -> Tensor:
    """Return M: the centres (x, y) of a grid's patches in [0, 1], row-major, (height * width, 2)."""
    y = (torch.arange(height) + 0.5) / height
    x = (torch.arange(width) + 0.5) / width
    rows, columns = torch.meshgrid(y, x, indexing="ij")
    return torch.stack((columns, rows), dim=-1).reshape(-1, 2)


class KeypointRPE(KeypointTable):
    """Attention biases ``B_ij = f(P)[i, d(i, j)]`` for every head and layer of a vision transformer.

    Args:
        num_keypoints: L.
        grid_size: (height, width) of the patch grid, N = height * width.
        num_heads, num_layers: of the transformer.
        formulation: ``multihead`` (the paper's best), ``relative``, ``absolute``, the control ``static``, or with
            interaction ``second_order`` and ``nonlinear``; see :class:`KeypointTable`.
        distance: ``product``, ``euclidean``, ``quant`` or ``cross``.
        ratio: of the piecewise index (1.9 in the paper: K = 49).
        prefix_tokens: class or register tokens before the patches. They have no place in the image: their biases
            are three learned numbers a head and layer (to patches, from patches, among prefixes), zero at first.
        standardised, keypoints, rotary: see :class:`KeypointTable`.

    Raises:
        KpstraError: an unknown formulation or distance, or sizes below 1.
    """

    def __init__(
        self,
        num_keypoints: int,
        grid_size: tuple[int, int],
        num_heads: int,
        num_layers: int,
        formulation: str = "multihead",
        distance: str = "product",
        ratio: float = 1.9,
        prefix_tokens: int = 0,
        standardised: bool = False,
        keypoints: str = "given",
        rotary: str = "none",
    ) -> None:
        index, num_buckets = relative_buckets(*grid_size, distance, ratio)
        form = (formulation, standardised, keypoints, rotary)
        super().__init__(num_keypoints, num_buckets, num_heads, num_layers, *form)
        self.grid_size, self.prefix_tokens = tuple(grid_size), prefix_tokens
        self.distance, self.ratio = distance, ratio
        # prefix pairs look up one bucket more, in which the image has no part
        padded = F.pad(index, (prefix_tokens, 0, prefix_tokens, 0), value=num_buckets) if prefix_tokens else index
        self.register_buffer("index", padded.clone(), persistent=False)
        short = -self.index.shape[-1] % direct.ALIGNED
        self.register_buffer("aligned_index", F.pad(self.index, (0, short)), persistent=False)
        self.register_buffer("centres", patch_centres(*grid_size), persistent=False)
        learns_prefix = prefix_tokens and formulation != "none"
        self.prefix = nn.Parameter(torch.zeros(num_layers, num_heads, 3)) if learns_prefix else None

    def bias(self, factors: Factors | Tensor, layer: int, dtype: torch.dtype | None = None) -> Tensor:
        """Return B of one layer, (B, heads, T, T) with T = prefix tokens + N (batch 1 for ``static``).

        ``factors`` are those of :meth:`factors`, computed once a forward, or the keypoints (B, L, 2) themselves. The
        tensor is float32 (or the weights' float64) unless ``dtype`` says otherwise, that of the queries. Tables that
        all heads share come expanded, not copied.
        """
        if not 0 <= layer < self.num_layers:
            raise KpstraError(f"KP-RPE: layer {layer} of {self.num_layers}")
        factors = self.factors(factors) if isinstance(factors, Tensor) else factors
        image = factors.layer(layer)
        if factors.joints is not None:
            bias = self._direct_bias(factors.joints, layer, dtype)
        elif image is None:
            bias = self.static_bias(layer).unsqueeze(0)
        elif self._trains_separably() and self.nonlinear:
            tables = self._image_tables(image, self.centres, layer) + self.static(self.centres, layer)
            bias = separable_lookup(tables, self.index, self.grid_size, self.ratio)
        elif self._trains_separably():
            static = self.coefficients(layer)
            bias = separable_polynomial(static, image, self.index, self.centres, self.grid_size, self.ratio)
        else:
            bias = add_into(self._image_bias(image, layer), self.static_bias(layer))
        return (bias if dtype is None else bias.to(dtype)).expand(-1, self.num_heads, -1, -1)

    @torch.no_grad()
    def rotation(self, keypoints: Tensor, confidence: Tensor | None, head_dim: int) -> Rotation:
        """Return how queries and keys are rotated, (B or 1, 1, T, head_dim); prefix tokens are not.

        Args:
            keypoints, confidence: of the images, as for :meth:`factors`.
            head_dim: channels of a head.
        """
        places = self.centres.unsqueeze(0)
        if self.rotary == "body":
            linear, shift = self.frames(keypoints, confidence)
            places = self.centres.to(linear.dtype) @ linear.transpose(1, 2) + shift.unsqueeze(1)  # B, N, 2
        return rotation(places.unsqueeze(1), head_dim).pad(self.prefix_tokens, 0)

    def _direct(self, device: torch.device) -> bool:
        return not self.prefix_tokens and super()._direct(device)

    def _direct_bias(self, joints: Joints, layer: int, dtype: torch.dtype | None) -> Tensor:
        """Return B of one layer by :mod:`.direct`, rounded before it is looked up."""

        def terms() -> Tensor:
            points, confidence = (None if t is None else t.unsqueeze(1) for t in joints[:2])
            return direct.offsets(self, points, confidence, self.centres[None, None]).squeeze(1)  # B, N, X

        tables = direct.tables(self, joints.once((self.grid_size, *direct.kind(self)), terms), layer)
        tables = tables if dtype is None else tables.to(dtype)
        n, index = self.index.shape[-1], self.aligned_index
        if self._trains_separably():
            return separable_lookup(tables, index, self.grid_size, self.ratio)
        return lookup_queries(tables, index)[..., :n]

    def _image_tables(self, image: Tensor, centres: Tensor, layer: int) -> Tensor:
        """Return the image's part of f(P) for the queries at M (N, 2): (B, heads, N, K), N = 1 if alike for all."""
        rank = image.shape[1]
        with torch.autocast(image.device.type, enabled=False):
            if self.nonlinear:
                hidden = self.hidden(image.squeeze(2), monomials(centres, 3))  # B, N, hidden
                tables = hidden @ self.layer_weight(layer).flatten(0, 1).T  # B, N, heads * K
                return tables.unflatten(-1, (self.num_heads, -1)).transpose(1, 2)
            if rank == 1:
                return image.transpose(1, 2)
            return monomials(centres.to(image.dtype), rank) @ image.transpose(1, 2)

    def _image_bias(self, image: Tensor, layer: int) -> Tensor:
        tables = self._image_tables(image, self.query_centres(), layer)
        tables = F.pad(tables, (0, 1)) if self.prefix_tokens else tables  # the zero that pairs with prefixes look up
        return lookup_queries(tables, self.index) if tables.shape[-2] > 1 else lookup(tables.squeeze(-2), self.index)

    def _trains_separably(self) -> bool:
        plain = self.distance != "product" or self.prefix_tokens
        return torch.is_grad_enabled() and not plain and not torch.compiler.is_compiling()

    def static_bias(self, layer: int) -> Tensor:
        """Return the part that no image changes, (heads or 1, T, T); remembered in evaluation on a CPU."""
        weights = self.static_weights(layer)
        weights = weights if self.prefix is None else [*weights, self.prefix[layer]]
        return self.cached(layer, weights, lambda: self._static_bias(layer))

    def _static_bias(self, layer: int) -> Tensor:
        p = self.prefix_tokens
        patches = lookup_queries(self.static(self.centres, layer), self.index[..., p:, p:])
        if not p:
            return patches
        to_patch, from_patch, among = self.prefix[layer].to(patches.dtype).unbind(-1)  # heads each
        n = patches.shape[-1]
        patches = patches.expand(self.num_heads, -1, -1)
        top = torch.cat((_block(among, p, p), _block(to_patch, p, n)), dim=2)
        return torch.cat((top, torch.cat((_block(from_patch, n, p), patches), dim=2)), dim=1)

    def query_centres(self) -> Tensor:
        """Return M for every query, (T, 2); zero for prefix tokens."""
        return F.pad(self.centres, (0, 0, self.prefix_tokens, 0))


def _block(values: Tensor, rows: int, columns: int) -> Tensor:
    return values[:, None, None].expand(-1, rows, columns)
