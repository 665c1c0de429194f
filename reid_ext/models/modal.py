"""Transformers whose keypoints are parts that they find themselves: StRA's modes in the place of joints."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor

from plugins.kprpe import KPRPEHandle, inject_kprpe
from plugins.modes import ModeStem, modes_config

from .joints import MeanPoseOfTables, checked_settings
from .networks import GivesDiversity
from .options import current
from .transformers import KPRPETransformer, ReidTransformer


class ModesTransformer(MeanPoseOfTables, GivesDiversity, ReidTransformer):
    """KP-RPE, added to the pretrained positions, whose keypoints are the centres of modes; ``forward(images)``.

    A small convolutional stem of its own (:class:`plugins.modes.ModeStem`) finds the modes in the image; gradients of
    the identity losses reach it through f(P), and the diversity loss keeps the modes apart.

    ``kprpe`` is that of :class:`reid_ext.models.transformers.KPRPETransformer`, but for forms that need a mean pose.
    With ``keypoints: constant`` it is the control: as many parameters, and modes that learn from the diversity loss
    alone, while the attention sees the mean centres that :meth:`fit_modes` found before training.

    Args:
        num_classes, loss, backbone: as for :class:`ReidTransformer`.
        groups: G, the number of modes; ``stra.groups`` of the settings.
    """

    settings: ClassVar[tuple[str, ...]] = KPRPETransformer.settings

    def __init__(self, num_classes: int, loss: str, backbone: str, groups: int = 8) -> None:
        super().__init__(num_classes, loss, backbone)
        given = {"mode": "add", **checked_settings(current().kprpe, self.settings)}
        self.uses_confidence = given.pop("confidence", True)
        self.modes = ModeStem(3, groups)
        inject_kprpe(self.backbone, modes_config(groups, given))

    @property
    def kprpe(self) -> KPRPEHandle:
        """The injected attentions."""
        return KPRPEHandle(self.backbone)

    def forward(self, images: Tensor) -> Tensor | tuple[Tensor, ...]:
        """Map images (B, 3, H, W) to what the engine expects, and to the diversity (B,) where that is asked for."""
        parts = self.modes(images)
        confidence = parts.confidence if self.uses_confidence else None
        with self.kprpe.set_keypoints(parts.points, confidence, learned=True):
            outputs = super().forward(images)
        if not (self.training and self.return_diversity):
            return outputs
        outputs = outputs if isinstance(outputs, tuple) else (outputs,)
        return *outputs, self.modes.diversity(parts)

    @torch.no_grad()
    def fit_modes(self, images: Tensor) -> None:
        """Give the control the mean centres of images (B, 3, H, W), as a first batch of training sees them."""
        before = self.modes.training
        parts = self.modes.train()(images)
        self.modes.train(before)
        self.fit_pose(parts.points, parts.confidence)

    def undecayed(self) -> list[torch.nn.Parameter]:
        """Return KP-RPE's parameters, which take no weight decay."""
        return list(self.kprpe.parameters())
