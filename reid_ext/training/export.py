"""A trained model as an ONNX file, images to features."""

from __future__ import annotations

from pathlib import Path

import torch

from plugins.common.onnx import export_onnx

from ..extractor import FeatureExtractor

BATCHES = (2, 1, 3)  # traced on the first, compared on all


def export(model: str, weights: str | Path, output: str | Path, height: int = 256, width: int = 128) -> float:
    """Write the ONNX file and return the largest difference of its features, as a share of the largest.

    Args:
        model: its name in torchreid's factory.
        weights: a checkpoint, also the authors'.
        output: the file.
        height, width: of the images.

    Raises:
        KpstraError: an unknown model, a checkpoint that does not fit, or a network that cannot be exported.
    """
    network = FeatureExtractor(model, weights, (height, width), device="cpu").model
    chance = torch.Generator().manual_seed(0)
    first, *others = ({"images": torch.randn(n, 3, height, width, generator=chance)} for n in BATCHES)
    return export_onnx(network, first, others, ("batch",), "features", output)
