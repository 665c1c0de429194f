"""f(P) of every query by one product with its offsets from the joints: the formula, written with few kernels.

On a GPU the start of a kernel costs more than the arithmetic of a bias, so there the formula is not multiplied out
(:mod:`.expansion`): what follows from the keypoints alone, ``phi(M_i - P_l)`` of all joints side by side, is computed
once for all layers, and a layer is one product with its W and b and one look-up.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import TYPE_CHECKING, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from .expansion import TERMS, monomials

if TYPE_CHECKING:
    from .table import KeypointTable

ALIGNED = 8  # columns: SDPA's kernels on CUDA copy masks whose rows are of another length


class Joints(NamedTuple):
    """The joints of a forward: P (B, L, 2), s (B, L) or ``None``, and what was computed from them for all layers."""

    points: Tensor
    confidence: Tensor | None
    known: dict

    def once(self, key: Hashable, build: Callable[[], Tensor]) -> Tensor:
        """Return ``build()``, computed once; again for each layer where gradients go to the joints, as recomputation
        of one layer alone must find what its forward kept."""
        if torch.is_grad_enabled() and any(t is not None and t.requires_grad for t in self[:2]):
            return build()
        if key not in self.known:
            with torch.inference_mode(False), torch.no_grad():
                self.known[key] = build()
        return self.known[key]


def suits(device: torch.device) -> bool:
    """Whether few kernels matter more on a device than little arithmetic."""
    return device.type == "cuda"


def kind(table: KeypointTable) -> tuple:
    """Return what of a table its :func:`offsets` depend on; tables with a mean pose of their own share nothing."""
    dtype = torch.promote_types(table.table_weight.dtype, torch.float32)
    return table.formulation, table.standardised, table.keypoints, id(table.pose), dtype


def offsets(table: KeypointTable, points: Tensor, confidence: Tensor | None, centres: Tensor) -> Tensor:
    """Return what a query's W is multiplied by, all joints side by side.

    Args:
        table: says which terms: those of its formulation, over its mean pose if it is standardised.
        points: P, (F, T, L, 2); ``confidence``: s, (F, T, L).
        centres: M, (S, T, m, 2): the queries of S places in T frames.

    Returns:
        (F, S, T * m, X), F = 1 for ``static``; X = L D, and D more where a part of their own has no image in it.
    """
    dtype = torch.promote_types(table.table_weight.dtype, torch.float32)
    m, p = centres.to(dtype)[None, :, :, :, None], points.to(dtype)[:, None, :, None]  # 1,S,T,m,1,2 and F,1,T,1,L,2
    s = None if confidence is None else confidence.to(dtype)[:, None, :, None, :, None]
    pose = None if table.pose is None else table.pose.mean.to(dtype)
    if table.keypoints == "constant":
        p, s = pose.expand_as(p), None
    if table.formulation == "static":
        terms, s = m.expand(-1, -1, -1, -1, table.num_keypoints, -1), None
    elif table.formulation == "absolute":
        terms = (p - pose) / table.scale(dtype) if table.standardised else p
        terms = terms.expand(-1, *m.shape[1:4], -1, -1)
    else:
        terms = _phi(m - p, table.order)
        if table.standardised:
            terms = (terms - _phi(m - pose, table.order)) / table.scale(dtype)
    terms = (terms if s is None else terms * s).flatten(4)
    if table.standardised and table.formulation != "absolute":
        own = monomials(centres.to(dtype), 1 + TERMS[table.order])[..., 1:]
        terms = torch.cat((terms, own.expand(*terms.shape[:4], -1)), dim=-1)
    return terms.flatten(2, 3).contiguous()


def _phi(d: Tensor, order: int) -> Tensor:
    return d if order == 1 else torch.cat((d, d * d, d[..., :1] * d[..., 1:]), dim=-1)


def tables(table: KeypointTable, terms: Tensor, layer: int) -> Tensor:
    """Return f(P) of one layer, (..., heads, N, K), from the :func:`offsets` (..., N, X)."""
    with torch.autocast(terms.device.type, enabled=False):
        weight, bias = _weights(table, layer)
        out = F.linear(_hidden(table, terms), weight.flatten(0, 1), bias.flatten())
        return out.unflatten(-1, bias.shape).transpose(-3, -2)


def with_one(terms: Tensor, valid: Tensor | None) -> Tensor:
    """Return (F, S, n, X + 1): the last is what b is multiplied by; rows of padding, ``valid`` (S, n), are zero."""
    terms = F.pad(terms, (0, 1), value=1.0)
    return terms if valid is None else terms * valid.to(terms.dtype).unsqueeze(-1)


def window_bias(table: KeypointTable, terms: Tensor, valid: Tensor | None, index: Tensor, layer: int) -> Tensor:
    """Return B of one layer, (F, S, heads, n, n), for windows of n tokens: no table of a query's own exists.

    Args:
        terms: :func:`offsets` :func:`with_one`, (F, S, n, X + 1); of the nonlinear form without, (F, S, n, X).
        valid: (S, n), which rows of the nonlinear form are no padding.
        index: d, (n, n), or (2, n, n) of rows and columns.
        layer: of the table.
    """
    frames, places, n, _ = terms.shape
    with torch.autocast(terms.device.type, enabled=False):
        weight, bias = _weights(table, layer)
        rows = torch.cat((weight.transpose(0, 1), bias.T.unsqueeze(-1)), dim=-1).flatten(1)  # K, heads * (X + 1)
        index = index if index.ndim == 3 else index.unsqueeze(0)
        pairs = sum(F.embedding(part, rows) for part in index).view(n, -1, weight.shape[2] + 1)  # n, n * heads, X + 1
        terms = with_one(_hidden(table, terms), valid) if table.nonlinear else terms
        out = torch.bmm(terms.flatten(0, 1).transpose(0, 1), pairs.transpose(1, 2))  # n, F * S, n * heads
    return out.view(n, frames, places, n, -1).permute(1, 2, 4, 0, 3)


def _weights(table: KeypointTable, layer: int) -> tuple[Tensor, Tensor]:
    """Return W (heads, K, X) and b (heads, K) of one layer."""
    layer = min(layer, table.table_weight.shape[0] - 1)
    weight, bias = table.table_weight[layer].flatten(2), table.table_bias[layer]
    if hasattr(table, "table_static"):
        weight = torch.cat((weight, table.table_static[layer]), dim=-1)
    exact = torch.promote_types(weight.dtype, torch.float32)
    return weight.to(exact), bias.to(exact)


def _hidden(table: KeypointTable, terms: Tensor) -> Tensor:
    """Return the hidden layer of the nonlinear form; the terms themselves in the others."""
    if not table.nonlinear:
        return terms
    weight = table.hidden_weight.flatten(1)
    weight = torch.cat((weight, table.hidden_static), dim=1) if table.standardised else weight
    return F.gelu(F.linear(terms, weight.to(terms.dtype), table.hidden_bias.to(terms.dtype)))
