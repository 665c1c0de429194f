"""A trained model as an ONNX file, images (and keypoints, where it takes some) to features."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from plugins.common.onnx import export_onnx

from ..extractor import FeatureExtractor
from ..models.feed import joints_taken, takes_keypoints

BATCHES = (2, 1, 3)  # traced on the first, compared on all


def export(
    model: str,
    weights: str | Path,
    output: str | Path,
    height: int = 256,
    width: int = 128,
    kprpe: Mapping[str, Any] | None = None,
    stra: Mapping[str, Any] | None = None,
) -> float:
    """Write the ONNX file and return the largest difference of its features, as a share of the largest.

    Args:
        model: its name in torchreid's factory.
        weights: a checkpoint, also the authors'.
        output: the file.
        height, width: of the images.
        kprpe, stra: these settings of the training, where they differ from the defaults.

    A model that takes keypoints has them as its second input, (batch, 17, 3), of faces (batch, 5, 3), in pixels of the
    images.

    Raises:
        KpstraError: an unknown model, a checkpoint that does not fit, or a network that cannot be exported.
    """
    network = FeatureExtractor(model, weights, (height, width), device="cpu", kprpe=kprpe, stra=stra).model
    chance = torch.Generator().manual_seed(0)
    first, *others = ({"images": torch.randn(n, 3, height, width, generator=chance)} for n in BATCHES)
    if takes_keypoints(network):
        for given in (first, *others):
            shape = (len(given["images"]), joints_taken(network), 3)
            given["keypoints"] = torch.rand(shape, generator=chance) * torch.tensor([width, height, 1.0])
    return export_onnx(network, first, others, ("batch",), "features", output)
