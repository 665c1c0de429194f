"""Rotary positions (RoPE; Su et al. 2021) in the image's axes or in those of the body that the keypoints show.

Queries and keys are rotated by angles u . omega, so scores depend on u_i - u_j. In the body's frame u_i = T(P) M_i with
the affine map T(P) that takes the joints to the mean pose: the same u whatever the image's shift, scale or rotation.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from ...errors import KpstraError

ROTARY = ("none", "image", "body")
HIGHEST, BASE = 4 * math.pi, 100.0  # radians over the image's side, and its ratio to the lowest frequency, about
FLATTEST = 1e-3  # of a pose: the smaller variance along its axes over the larger; below, it shows no frame


class Rotation(NamedTuple):
    """Cosines and sines (..., n, head_dim / 2) of every token's angles."""

    cos: Tensor
    sin: Tensor

    def pad(self, before: int, after: int) -> Rotation:
        """Add tokens that are not rotated."""
        return Rotation(F.pad(self.cos, (0, 0, before, after), value=1.0), F.pad(self.sin, (0, 0, before, after)))


def body_frame(points: Tensor, confidence: Tensor | None, template: Tensor) -> tuple[Tensor, Tensor]:
    """Fit T(p) = A p + t, which takes the joints to the template: least squares, weighted by the confidences.

    A pose of joints on a line, or of fewer than three that are not absent, shows no frame: there A = 1 and t = 0, the
    image's axes. The same where the template is such a pose.

    Args:
        points: P, (B, L, 2); ``confidence``: (B, L); ``template``: (L, 2).

    Returns:
        A (B, 2, 2) and t (B, 2).
    """
    weight = torch.ones_like(points[..., :1]) if confidence is None else confidence.unsqueeze(-1).to(points.dtype)
    total = weight.sum(1, keepdim=True).clamp(min=torch.finfo(points.dtype).tiny)
    centre, target = ((weight * p).sum(1, keepdim=True) / total for p in (points, template))  # B, 1, 2
    moved, wanted = points - centre, template - target
    scatter = (weight * moved).transpose(1, 2) @ moved / total  # B, 2, 2
    spread = (weight * wanted).transpose(1, 2) @ wanted / total
    across = (weight * wanted).transpose(1, 2) @ moved / total
    (a, b), (_, d) = (row.unbind(-1) for row in scatter.unbind(-2))
    adjugate = torch.stack((d, -b, -b, a), dim=-1).unflatten(-1, (2, 2))
    shown = (_flatness(scatter) > FLATTEST) & (_flatness(spread) > FLATTEST)
    determinant = torch.where(shown, a * d - b * b, 1.0)[:, None, None]
    same = torch.eye(2, dtype=scatter.dtype, device=scatter.device)
    linear = torch.where(shown[:, None, None], across @ adjugate / determinant, same)
    shift = target.squeeze(1) - (linear @ centre.transpose(1, 2)).squeeze(-1)
    return linear, torch.where(shown[:, None], shift, 0.0)


def _flatness(scatter: Tensor) -> Tensor:
    """Return about the smaller eigenvalue over the larger, exact for small values; 0 for no spread at all."""
    trace = scatter[:, 0, 0] + scatter[:, 1, 1]
    determinant = scatter[:, 0, 0] * scatter[:, 1, 1] - scatter[:, 0, 1].square()
    return torch.where(trace > 0, determinant / trace.square().clamp(min=torch.finfo(trace.dtype).tiny), 0.0)


def rotation(places: Tensor, head_dim: int) -> Rotation:
    """Return the rotation of tokens at places (..., n, axes): x and y in sides of the image, then t in frames.

    Every axis has its share of the head's pairs (axial RoPE), with frequencies from 4 pi a side down to a hundredth of
    that, and from 1 radian a frame.

    Raises:
        KpstraError: head_dim is odd, or has fewer pairs than there are axes.
    """
    pairs, axes = head_dim // 2, places.shape[-1]
    if head_dim % 2 or pairs < axes:
        raise KpstraError(f"kprpe.rotary: heads of {head_dim} channels: expected an even number, {2 * axes} or more")
    counts = [pairs // axes + (axis < pairs % axes) for axis in range(axes)]
    angles = [
        places[..., axis, None] * _frequencies(count, HIGHEST if axis < 2 else 1.0, places)
        for axis, count in enumerate(counts)
    ]
    angles = torch.cat(angles, dim=-1)
    return Rotation(angles.cos(), angles.sin())


def _frequencies(count: int, highest: float, like: Tensor) -> Tensor:
    return highest * BASE ** -(torch.arange(count, device=like.device, dtype=like.dtype) / count)


def rotate(x: Tensor, by: Rotation) -> Tensor:
    """Return x (..., n, head_dim) with every pair of channels (2 c, 2 c + 1) turned by its angle; the type stays x's.

    In single and double precision a pair is a complex number, which takes one pass over memory; half types, and the
    compilers, which have no complex numbers, get the formula in real ones.
    """
    pairs = x.unflatten(-1, (-1, 2))
    if x.dtype in (torch.float32, torch.float64) and not torch.compiler.is_compiling():
        turn = torch.complex(*(t.to(x.dtype) for t in by))
        return torch.view_as_real(torch.view_as_complex(pairs) * turn).flatten(-2)
    cos, sin = (t.to(x.dtype) for t in by)
    a, b = pairs.unbind(-1)
    return torch.stack((a * cos - b * sin, b * cos + a * sin), dim=-1).flatten(-2)
