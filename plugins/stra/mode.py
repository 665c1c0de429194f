"""Mode attention: every node attends to G modal vectors, one per body part (StRA paper, eqs. 1 and 3)."""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..errors import one_of
from .checks import check_feature_map, check_groups
from .layers import grouped_branch, init_weights

GATES = ("sigmoid", "softmax")
TINY = 1e-24  # added to a mean square: of no weight, but for rows of zeros


class Modes(NamedTuple):
    """What mode attention finds in a feature map; R = 2 rounds with mode interaction, else 1."""

    mask: Tensor  # M, (B, G, H*W): where mode g takes its vector from; sums to one over positions
    vectors: Tensor  # z (and z'), (B, G, R, n)
    coefficients: Tensor  # r (and r'), (B, G, R, H*W) in [0, 1]


def interact(vectors: Tensor) -> Tensor:
    """Mode interaction ``z'_g = sum_j softmax_j(sqrt(G) l2norm_j(<z_g, z_j>)) z_j``; (B, G, n) to (B, G, n).

    The paper writes a bare softmax of the inner products; normalisation and scale are the authors' code.
    """
    affinity = vectors @ vectors.transpose(1, 2)
    affinity = F.rms_norm(affinity, affinity.shape[2:], eps=TINY)  # sqrt(G) times the l2-normalised rows
    return torch.softmax(affinity, dim=2).to(vectors.dtype) @ vectors


def diversity_loss(mask: Tensor) -> Tensor:
    """The loss ``G - sum_ij max_g M^g_ij`` of appendix A, (B, G, H*W) to (B,): zero when modes never overlap."""
    return mask.shape[1] - mask.float().amax(dim=1).sum(dim=1)


class ModeAttention(nn.Module):
    """Gate modal vectors into every node: ``y_i^g = s_i^g + r_ig z_g + r'_ig z'_g`` (eqs. 1 and 3, appendix A).

    Args:
        channels: C, divisible by ``groups``.
        groups: G, the number of modes.
        interaction: add the second round with the interacted vectors ``z'``.
        gate: ``sigmoid`` (independent modes, the authors' choice) or ``softmax`` over the modes of a node (mutually
            exclusive, eq. 3).
    """

    def __init__(self, channels: int, groups: int = 8, interaction: bool = True, gate: str = "sigmoid") -> None:
        super().__init__()
        check_groups(channels, groups)
        one_of(gate, GATES, "ModeAttention: gate")
        self.channels, self.groups, self.gate = channels, groups, gate
        self.mask = grouped_branch(channels, 8 * groups, groups, groups)
        self.gate_norm = nn.BatchNorm2d(groups)
        self.interaction_norm = nn.BatchNorm2d(groups) if interaction else None
        init_weights(self)

    def modes(self, s: Tensor) -> Modes:
        """Find the modes of ``s`` (B, C, H, W): masks, modal vectors and attention coefficients."""
        batch, _, height, width = s.shape
        nodes = s.reshape(batch, self.groups, -1, height * width)  # B, G, n, P
        mask = torch.softmax(self.mask(s).flatten(2), dim=2)  # B, G, P
        z = (nodes @ mask.to(nodes.dtype).unsqueeze(3)).squeeze(3)  # B, G, n
        if self.interaction_norm is None:
            r = self._gate(self.gate_norm, z.unsqueeze(2) @ nodes, height, width)
            return Modes(mask, z.unsqueeze(2), r)
        vectors = torch.stack((z, interact(z)), dim=2)  # B, G, 2, n
        scores = vectors @ nodes  # B, G, 2, P: both rounds in one pass over the nodes
        r = self._gate(self.gate_norm, scores[:, :, :1], height, width)
        # <z', y> = <z', s + r z> = <z', s> + r <z', z>
        overlap = vectors[:, :, 1:] @ z.unsqueeze(3)  # B, G, 1, 1
        r2 = self._gate(self.interaction_norm, torch.addcmul(scores[:, :, 1:], r, overlap), height, width)
        return Modes(mask, vectors, torch.cat((r, r2), dim=2))

    def forward(self, s: Tensor) -> tuple[Tensor, Tensor]:
        """Map the local operator's output ``s`` (B, C, H, W) to ``y`` (B, C, H, W) and the diversity loss (B,)."""
        check_feature_map(s, self.channels, "ModeAttention")
        mask, vectors, coefficients = self.modes(s)
        with torch.autocast(s.device.type, enabled=False):  # sums in the dtype of s
            nodes = s.reshape(-1, s.shape[1] // self.groups, s.shape[2] * s.shape[3])  # B*G, n, P
            z, r = vectors.to(s.dtype).flatten(0, 1).transpose(1, 2), coefficients.to(s.dtype).flatten(0, 1)
            y = torch.baddbmm(nodes, z, r)  # s + r z + r' z'
        return y.view(s.shape), diversity_loss(mask)

    def _gate(self, norm: nn.Module, scores: Tensor, height: int, width: int) -> Tensor:
        normed = norm(scores.reshape(-1, self.groups, height, width))
        gated = torch.sigmoid(normed) if self.gate == "sigmoid" else torch.softmax(normed, dim=1)
        return gated.reshape(scores.shape)
