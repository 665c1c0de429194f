"""Images channels last in memory, where a convolutional network is evaluated on a CPU: faster, and the same numbers."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from ..host import torchreid

models = torchreid.models
CONVOLUTIONAL = (models.resnet.ResNet, models.mobilenetv2.MobileNetV2, models.osnet.OSNet)  # measured, docs/cost.md


def evaluate_channels_last(model: nn.Module) -> None:
    """Let a network lay its images out channels last (NHWC) when it is evaluated on a CPU.

    >>> evaluate_channels_last(model)
    >>> model.eval()(images)  # (B, 3, H, W) as before

    The convolutions pass the layout on. Weights stay as they are, and so do training, CUDA and exports. Networks other
    than those of :data:`CONVOLUTIONAL`, such as transformers, are left alone.
    """
    if isinstance(model, CONVOLUTIONAL):
        model.register_forward_pre_hook(_lay_out)


def _lay_out(model: nn.Module, arguments: tuple[Any, ...]) -> tuple[Any, ...] | None:
    if not arguments:  # given by name, which hooks do not see
        return None
    images, *others = arguments
    if model.training or images.device.type != "cpu" or torch.compiler.is_compiling():
        return None
    return images.contiguous(memory_format=torch.channels_last), *others
