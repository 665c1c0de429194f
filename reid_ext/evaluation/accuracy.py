"""Accuracy of a classifier over ten crops of each image, as FER2013 is tested."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms as T
from tqdm import tqdm

from plugins.errors import KpstraError

from ..data.images import reading
from ..models.feed import takes_keypoints
from ..training.checkpoints import inner

WHOLE = 48 / 44  # an image's side over a crop's


def classify(model: nn.Module, loader: DataLoader, device: str | torch.device) -> np.ndarray:
    """Return the mean logits (N, classes) of ten crops: corners, middle, and their mirror images.

    Images are resized to 48/44 of the size that the loader's transform gives them, and cropped to that.

    Args:
        model: of torchreid's factory, in evaluation mode; its ``classifier`` maps test features to logits.
        loader: of torchreid's samples, not shuffled.
        device: of the model.

    Raises:
        KpstraError: a model that takes keypoints, or whose classifier does not take its test features.
    """
    network = inner(model)
    if takes_keypoints(network):
        raise KpstraError(f"accuracy: {type(network).__name__} takes keypoints, and ten crops have none")
    logits = []
    with ten_crops(loader) as cropped, reading(), torch.no_grad():
        for batch in tqdm(cropped, desc="Classifying", unit="batch", disable=None, leave=False):
            crops = batch["img"].to(device)  # B, 10, 3, H, W
            classes = logits_of(network, model(crops.flatten(0, 1)))
            logits.append(classes.unflatten(0, crops.shape[:2]).mean(1).float().cpu().numpy())
    return np.concatenate(logits)


def logits_of(network: nn.Module, features: Tensor) -> Tensor:
    """Return what the classifier of a network of torchreid makes of its test features (B, D)."""
    classifier = getattr(network, "classifier", None)
    if not isinstance(classifier, nn.Linear) or classifier.in_features != features.shape[1]:
        raise KpstraError(
            f"accuracy: {type(network).__name__}: its classifier does not take its test features of "
            f"{features.shape[1]} numbers; choose another model.name"
        )
    return classifier(features)


class Each:
    """One transform of several images, (K, 3, H, W)."""

    def __init__(self, transform: Callable[[Image.Image], Tensor]) -> None:
        self.transform = transform

    def __call__(self, images: Sequence[Image.Image]) -> Tensor:
        """Transform every image."""
        return torch.stack([self.transform(image) for image in images])


@contextmanager
def ten_crops(loader: DataLoader) -> Iterator[DataLoader]:
    """Let a loader's samples be ten crops of their images for the block."""
    dataset = loader.dataset
    while isinstance(inside := vars(dataset).get("dataset"), Dataset):  # of one that changes the images of another
        dataset = inside
    transform = dataset.transform
    resize, *rest = transform.transforms if isinstance(transform, T.Compose) else [transform]
    if not isinstance(resize, T.Resize) or not isinstance(resize.size, (tuple, list)):
        raise KpstraError(
            f"accuracy: the transform begins with {type(resize).__name__}: expected torchreid's of a test"
        )
    after, size = T.Compose(rest), tuple(resize.size)
    whole = T.Resize([round(side * WHOLE) for side in size], interpolation=resize.interpolation)
    dataset.transform = T.Compose([whole, T.TenCrop(size), Each(after)])
    try:
        yield loader
    finally:
        dataset.transform = transform
