"""Triplet loss over all triplets of a batch ("batch all"), each part apart."""

from __future__ import annotations

import torch
from torch import Tensor
from utils import Odict

from .base import BaseLoss, gather_and_scale_wrapper


class TripletLoss(BaseLoss):
    """max(0, d(a, p) - d(a, n) + margin), mean of the triplets above 0. Every identity needs equally many sequences.

    Args:
        margin: how much farther than a positive a negative has to be.
        loss_term_weight: in the sum of all losses.
    """

    def __init__(self, margin: float, loss_term_weight: float = 1.0) -> None:
        super().__init__(loss_term_weight)
        self.margin = margin

    @gather_and_scale_wrapper
    def forward(self, embeddings: Tensor, labels: Tensor) -> tuple[Tensor, Odict]:
        """embeddings (n, c, p), labels (n,), both by name; the loss is (p,)."""
        features = embeddings.permute(2, 0, 1).contiguous().float()  # p, n, c
        distances = self.ComputeDistance(features, features)  # p, n, n
        positive, negative = self.Convert2Triplets(labels, labels, distances)
        losses = (positive - negative + self.margin).relu().flatten(1)  # p, triplets
        loss, number = self.AvgNonZeroReducer(losses)
        values = {"loss": loss, "hard_loss": losses.amax(1), "loss_num": number, "mean_dist": distances.mean((1, 2))}
        self.info.update({name: value.detach().clone() for name, value in values.items()})
        return loss, self.info

    def AvgNonZeroReducer(self, loss: Tensor) -> tuple[Tensor, Tensor]:
        """Return the mean of each row's non-zero losses, 0 where there are none, and their number."""
        number = (loss != 0).sum(-1).float()
        return loss.sum(-1) / (number + 1e-9), number

    def ComputeDistance(self, x: Tensor, y: Tensor) -> Tensor:
        """Euclidean distances (p, n, m) of x (p, n, c) and y (p, m, c)."""
        squares = x.square().sum(-1)[:, :, None] + y.square().sum(-1)[:, None]
        return (squares - 2 * x @ y.mT).relu().sqrt()

    def Convert2Triplets(self, row_labels: Tensor, clo_label: Tensor, dist: Tensor) -> tuple[Tensor, Tensor]:
        """Return each row's distances to its own identity (p, n, positives, 1) and to others (p, n, 1, negatives)."""
        same = row_labels[:, None] == clo_label  # n, m
        if torch.unique(same.sum(1)).numel() > 1:
            raise ValueError(f"TripletLoss: labels {row_labels.tolist()}: every identity needs equally many sequences")
        p, n, _ = dist.shape
        return dist[:, same].view(p, n, -1, 1), dist[:, ~same].view(p, n, 1, -1)
