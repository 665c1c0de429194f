"""Features of images and of their mirror images, from a torchreid data set."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader
from tqdm import tqdm

from plugins.common.numerics import first_nonfinite
from plugins.errors import KpstraError

from ..data.images import reading
from ..data.placement import Placement
from ..models.feed import KeypointFeed, takes_keypoints


def extract_features(model: nn.Module, loader: DataLoader, device: str | torch.device) -> np.ndarray:
    """Return the features (N, D) of a loader's images, each added to that of the mirror image.

    Keypoints are mirrored with their image, left and right changing places; the KP-RPE paper's code finds them again.

    Args:
        model: of torchreid's factory, in evaluation mode.
        loader: of torchreid's samples; a model that takes keypoints needs samples that have some.
        device: of the model.

    Raises:
        KpstraError: an image that cannot be read, no keypoints for a model that takes some, or features that are NaN or
            infinite.
    """
    features = []
    with feeding(model) as call, reading(), torch.no_grad():
        for batch in tqdm(loader, desc="Extracting features", unit="batch", disable=None, leave=False):
            images = batch["img"].to(device)
            feature = call(images, batch.get("keypoints"))
            feature = feature + call(images.flip(-1), mirrored(batch.get("keypoints"), images.shape[-1]))
            features.append(feature.float().cpu().numpy())
            if (row := first_nonfinite(features[-1])) is not None:
                raise KpstraError(f"{batch['impath'][row]}: the network's feature is not finite; train it again")
    return np.concatenate(features)


@contextmanager
def feeding(model: nn.Module) -> Iterator[Any]:
    """Yield what calls ``model(images, keypoints)``, or ``model(images)`` where it takes no keypoints."""
    feed = KeypointFeed(model) if takes_keypoints(model) else None

    def call(images: Tensor, keypoints: Tensor | None) -> Tensor:
        if feed is not None:
            if keypoints is None:
                raise KpstraError("the model takes keypoints, and these data have none; set data.keypoints FILE")
            feed.give(keypoints)
        return model(images)

    try:
        yield call
    finally:
        if feed is not None:
            feed.handle.remove()


def mirrored(keypoints: Tensor | None, width: int) -> Tensor | None:
    """Return keypoints (B, K, 3) of images ``width`` pixels wide in their mirror images; absent ones stay 0."""
    if keypoints is None:
        return None
    place = Placement(mirrored=True).then((-1, 1), (width - 1, 0))
    return torch.stack([torch.from_numpy(place.move(points.numpy())) for points in keypoints]).float()
