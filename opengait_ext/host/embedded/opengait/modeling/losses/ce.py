"""Cross entropy of every part."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor
from utils import Odict

from .base import BaseLoss


class CrossEntropyLoss(BaseLoss):
    """Cross entropy of scaled cosine logits.

    Args:
        scale: of the logits.
        label_smooth, eps: smooth the labels, by how much.
        loss_term_weight: in the sum of all losses.
        log_accuracy: also log the share of right predictions.
    """

    def __init__(
        self,
        scale: float = 2**4,
        label_smooth: bool = True,
        eps: float = 0.1,
        loss_term_weight: float = 1.0,
        log_accuracy: bool = False,
    ) -> None:
        super().__init__(loss_term_weight)
        self.scale, self.label_smooth, self.eps, self.log_accuracy = scale, label_smooth, eps, log_accuracy

    def forward(self, logits: Tensor, labels: Tensor) -> tuple[Tensor, Odict]:
        """logits (n, classes, p), labels (n,)."""
        logits = logits.float()
        targets = labels[:, None].expand(-1, logits.shape[2])  # n, p
        loss = F.cross_entropy(logits * self.scale, targets, label_smoothing=self.eps if self.label_smooth else 0.0)
        self.info["loss"] = loss.detach().clone()
        if self.log_accuracy:
            self.info["accuracy"] = (logits.argmax(1) == targets).float().mean()
        return loss, self.info
