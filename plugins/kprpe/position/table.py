"""The learned tables f(P) in factorised form: what depends on the image never meets what depends on the patch."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Hashable
from typing import NamedTuple

import torch
from torch import Tensor, nn

from ...errors import KpstraError, one_of
from ..keypoints import check_keypoints

FORMULATIONS = ("multihead", "relative", "absolute", "static")


class Factors(NamedTuple):
    """The image's part of f(P), for all layers: ``f(P)_i = A_i - offset - M_i . slope``; ``None`` is zero."""

    offset: Tensor | None  # c, (B, layers, heads, K)
    slope: Tensor | None  # (B, layers, heads, K, 2): what absent or uncertain joints take from A

    def layer(self, layer: int) -> Factors:
        """Return the part of one layer, (B, heads, K) and (B, heads, K, 2); a shared table serves all layers."""
        return Factors(*(None if t is None else t[:, min(layer, t.shape[1] - 1)] for t in self))


class KeypointTable(nn.Module):
    """The linear map W, b of eqs. 9 to 11 and its exact factorisation.

    ``f(P)_i = vec(M_i - P) W + b`` is affine in M_i and in P, so with ``A_i[k] = M_i . sum_l W_l[k] + b[k]`` and
    ``c[k] = sum_l P_l . W_l[k]`` it is ``f(P)_i[k] = A_i[k] - c[k]``: A is the same for all images, c for all patches.
    With joint confidences s_l, ``c = sum_l s_l P_l . W_l`` and the further term is ``M_i . sum_l (1 - s_l) W_l``.

    W and b are plain parameters that start at zero: hosts re-initialise every ``nn.Linear`` after building a network.

    Args:
        num_keypoints: L.
        num_buckets: K.
        num_heads, num_layers: tables of ``multihead`` and ``static``; ``relative`` and ``absolute`` share one table.
        formulation: ``absolute`` (f = P W + b), ``relative``, ``multihead``, or the control ``static`` (A alone).
    """

    def __init__(
        self, num_keypoints: int, num_buckets: int, num_heads: int, num_layers: int, formulation: str = "multihead"
    ) -> None:
        super().__init__()
        one_of(formulation, FORMULATIONS, "formulation")
        if min(num_keypoints, num_heads, num_layers) < 1:
            raise KpstraError(
                f"KP-RPE: num_keypoints {num_keypoints}, num_heads {num_heads}, num_layers {num_layers}: expected >= 1"
            )
        self.num_keypoints, self.num_buckets, self.formulation = num_keypoints, num_buckets, formulation
        self.num_heads, self.num_layers = num_heads, num_layers
        shared = formulation in ("relative", "absolute")
        tables = (1, 1) if shared else (num_layers, num_heads)
        self.table_weight = nn.Parameter(torch.zeros(*tables, num_buckets, num_keypoints, 2))
        self.table_bias = nn.Parameter(torch.zeros(*tables, num_buckets))
        self._cache: dict[Hashable, tuple[tuple, Tensor]] = {}

    def extra_repr(self) -> str:
        return f"formulation={self.formulation}, keypoints={self.num_keypoints}, buckets={self.num_buckets}"

    def factors(self, keypoints: Tensor, confidence: Tensor | None = None, finite: bool = False) -> Factors:
        """Compute the image's part for all layers at once, in float32 also under autocast.

        Args:
            keypoints: P, (B, L, 2), (x, y) in [0, 1] of the network input; joints may lie a little outside.
            confidence: s, (B, L); a joint of confidence 0 contributes nothing, whatever its coordinates.
            finite: the caller has checked the values; looking costs a wait for the device.

        Raises:
            KpstraError: wrong shape or type, NaN or infinite values, or pixels.
        """
        keypoints, confidence = self._checked(keypoints, confidence)
        if not finite and not torch.compiler.is_compiling():
            check_keypoints(keypoints, confidence)
        if self.formulation == "static":
            return Factors(None, None)
        with torch.autocast(keypoints.device.type, enabled=False):
            weight = self.table_weight if self.table_weight.dtype == torch.float64 else self.table_weight.float()
            p = keypoints.to(weight.dtype)
            s = None if confidence is None else confidence.to(weight.dtype)
            weighted = p if s is None else p * s.unsqueeze(-1)
            offset = torch.einsum("blx,dhklx->bdhk", weighted, weight)
            if self.formulation == "absolute":
                return Factors(-offset, None)
            return Factors(offset, None if s is None else torch.einsum("bl,dhklx->bdhkx", 1 - s, weight))

    def static(self, centres: Tensor, layer: int) -> Tensor:
        """Return A of one layer: (heads, N, K) for the patch centres M (N, 2)."""
        bias, slope = self.affine(layer)
        if slope is None:
            return bias.unsqueeze(1).expand(-1, centres.shape[0], -1)
        with torch.autocast(centres.device.type, enabled=False):
            return centres.to(slope.dtype) @ slope.transpose(1, 2) + bias.unsqueeze(1)

    def affine(self, layer: int) -> tuple[Tensor, Tensor | None]:
        """Return b (heads, K) and the sum of W over joints (heads, K, 2) of one layer: A = b + M . sum W."""
        layer = min(layer, self.table_weight.shape[0] - 1)
        weight, bias = self.table_weight[layer], self.table_bias[layer]
        return bias, None if self.formulation == "absolute" else weight.sum(dim=2)

    def cached(self, key: Hashable, build: Callable[[], Tensor]) -> Tensor:
        """Return ``build()``, remembered while no gradient is wanted and the weights stay what they were."""
        if torch.is_grad_enabled() or torch.compiler.is_compiling() or self.table_weight.is_inference():
            return build()
        state = tuple(
            (weakref.ref(p), p._version, p.data_ptr(), p.device, p.dtype) for p in (self.table_weight, self.table_bias)
        )
        known = self._cache.get(key)
        if known is None or known[0] != state:
            known = self._cache[key] = (state, build())
        return known[1]

    def train(self, mode: bool = True) -> KeypointTable:
        if mode:
            self._cache.clear()
        return super().train(mode)

    def __getstate__(self) -> dict:
        return {**self.__dict__, "_cache": {}}  # copies and pickles start without remembered tensors

    def load_reference(self, weight: Tensor, bias: Tensor) -> None:
        """Load the authors' linear layer: ``weight`` (layers*heads*K, 2L) and ``bias`` (layers*heads*K).

        Outputs are ordered (layer, head, bucket), inputs (keypoint, xy).

        Raises:
            KpstraError: sizes that do not fit.
        """
        if weight.numel() != self.table_weight.numel() or bias.numel() != self.table_bias.numel():
            tables, buckets = self.table_weight.shape[:2].numel(), self.num_buckets
            raise KpstraError(
                f"load_reference: weight {tuple(weight.shape)} and bias {tuple(bias.shape)} do not fit "
                f"({tables} tables x {buckets} buckets, {self.num_keypoints} keypoints x 2)"
            )
        with torch.no_grad():
            self.table_weight.copy_(weight.view_as(self.table_weight))
            self.table_bias.copy_(bias.view_as(self.table_bias))

    def _checked(self, keypoints: Tensor, confidence: Tensor | None) -> tuple[Tensor, Tensor | None]:
        expected = f"(B, {self.num_keypoints}, 2)"
        if keypoints.ndim != 3 or keypoints.shape[1:] != (self.num_keypoints, 2) or not keypoints.is_floating_point():
            raise KpstraError(
                f"KP-RPE: keypoints: expected floating {expected}, got {keypoints.dtype} {tuple(keypoints.shape)}"
            )
        if confidence is not None:
            if confidence.shape != keypoints.shape[:2]:
                raise KpstraError(
                    f"KP-RPE: confidence: expected {tuple(keypoints.shape[:2])} as the keypoints have, "
                    f"got {tuple(confidence.shape)}"
                )
            keypoints = torch.where(confidence.unsqueeze(-1) == 0, 0.0, keypoints)
        return keypoints.detach(), None if confidence is None else confidence.detach()
