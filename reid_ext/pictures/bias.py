"""The picture of what a trained KP-RPE does in a re-ID transformer: the biases of a query under each crop's joints."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

from plugins.common.files import atomic_write
from plugins.errors import KpstraError
from plugins.kprpe import KPRPEHandle, normalise_keypoints
from plugins.kprpe.position.global_grid import KeypointRPE
from plugins.kprpe.position.table import KeypointTable

from ..data.keypoints import CropKeypoints, size_of
from ..models.feed import takes_keypoints
from ..models.transformers import present
from .mode_pictures import read_images


def has_biases(model: nn.Module) -> bool:
    """Whether :func:`draw_biases` can draw a network: it is given joints, and builds a bias over a grid from them."""
    first = next((m for m in model.modules() if isinstance(m, KeypointTable)), None)
    return isinstance(first, KeypointRPE) and first.formulation != "none" and takes_keypoints(model)


@torch.no_grad()
def draw_biases(
    model: nn.Module, images: list[Path], keypoints: CropKeypoints, size: tuple[int, int], path: Path
) -> Path:
    """Draw B_ij of the first layer, mean over heads, for queries at head, trunk and legs: a row for each crop.

    Not of the last layer, where only the class token's own attention reaches the feature.

    Args:
        model: a transformer with KP-RPE over a grid of patches (ViT).
        images: crops that have keypoints.
        keypoints: in pixels of the crops.
        size: height and width of the network's images.
        path: the picture, written whole or not at all.

    Raises:
        KpstraError: windowed attention, or an image that cannot be read.
    """
    from plugins.kprpe.draw import draw_bias

    rpe = next(iter(KPRPEHandle(model).attentions.values())).kprpe
    if not isinstance(rpe, KeypointRPE):
        raise KpstraError(f"{type(model).__name__}: its attention has windows; this picture is of a ViT's")
    crops = [crop for crop, _ in read_images(images, *size)]
    joints = [torch.from_numpy(keypoints[str(image)]) for image in images]
    points = torch.stack(
        [normalise_keypoints(at, size_of(str(image))) for at, image in zip(joints, images, strict=True)]
    )
    scores = torch.stack(joints)[..., 2]
    bias = _patch_bias(rpe, points, scores if model.uses_confidence else present(scores))
    rows, columns = rpe.grid_size
    queries = [(rows * part // 8, columns // 2) for part in (1, 3, 6)]
    titles = [image.name[:7] for image in images]
    figure = draw_bias(bias, rpe.grid_size, queries, points, crops, titles)
    with atomic_write(path) as stream:
        figure.savefig(stream, format="png")
    return path


def _patch_bias(rpe: KeypointRPE, points: Tensor, scores: Tensor) -> Tensor:
    """Return B between patches, mean over heads, (B, N, N); prefix tokens are left out."""
    patches = slice(rpe.prefix_tokens, None)
    return rpe.bias(rpe.factors(points, scores), 0)[:, :, patches, patches].mean(1).expand(len(points), -1, -1)
