"""A trained model as an ONNX file; `opengait-ext export --help` says what goes in and comes out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from plugins.common.onnx import export_onnx
from plugins.errors import KpstraError

from .restore import quiet, restore
from .session import session

SIZE = (64, 44)  # height and width of silhouettes after the cut
BATCHES, FRAMES = (2, 1, 3), (3, 1, 5)  # of the examples: traced on the first, compared on all


class Embeddings(nn.Module):
    """A host's model as a function of tensors."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, silhouettes: Tensor, keypoints: Tensor | None = None) -> Tensor:
        """(n, s, H, W) and perhaps (n, s, L, 3) -> (n, channels, parts)."""
        modalities = [silhouettes] if keypoints is None else [silhouettes, keypoints]
        labels = types = views = lengths = None
        return self.model((modalities, labels, types, views, lengths))["inference_feat"]["embeddings"]


def example(model: nn.Module, sequences: int, frames: int, size: tuple[int, int] = SIZE) -> dict[str, Tensor]:
    """Return random inputs by name."""
    height, width = size
    chance = torch.Generator().manual_seed(sequences)
    inputs = {"silhouettes": torch.rand(sequences, frames, height, width, generator=chance)}
    if hasattr(model, "num_keypoints"):
        joints = torch.rand(sequences, frames, model.num_keypoints, 3, generator=chance)
        inputs["keypoints"] = joints * torch.tensor([width - 1.0, height - 1.0, 1.0])
    return inputs


def export(
    config: str,
    checkpoint: str | Path,
    output: str | Path,
    host: str = "embedded",
    frames: int | None = None,
    overrides: Sequence[str] = (),
    size: tuple[int, int] = SIZE,
) -> float:
    """Write the ONNX file and return the largest difference of its outputs, as a share of the largest.

    Args:
        config: a path, or the name of a shipped configuration.
        checkpoint: OpenGait's or ours.
        output: the file.
        host: whose network is exported; a checkpoint fits them all, and only the embedded one's takes any number of
            frames.
        frames: of all sequences; ``None`` for any number.
        overrides: ``section.key=value`` pairs.
        size: height and width of the silhouettes after the cut, in pixels, that the network was trained on.

    Raises:
        KpstraError: any mistake in the settings or the checkpoint, or a network that cannot be exported.
    """
    if min(size) < 1:
        raise KpstraError(f"--size {size[0]} {size[1]}: expected height and width in pixels, each 1 or more")
    if frames is not None and frames < 1:
        raise KpstraError(f"--frames {frames}: expected 1 or more")
    with session(host, "cpu") as (found, device), quiet(found):
        model = restore(found, device, config, checkpoint, overrides)
    lengths = FRAMES if frames is None else [frames] * len(BATCHES)
    first, *others = (example(model, *counts, size) for counts in zip(BATCHES, lengths, strict=True))
    free = ("batch", "frames") if frames is None else ("batch",)
    return export_onnx(Embeddings(model), first, others, free, "embeddings", output)
