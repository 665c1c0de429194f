"""torchreid's ``FeatureExtractor`` for our models and checkpoints, also the authors' own.

>>> extractor = FeatureExtractor("resnet50_stra", "log/resnet50_stra/model/model.pth.tar-100")
>>> features = extractor(["a.jpg", "b.jpg"])                                                # (2, 512)

A model that takes keypoints gets them in pixels of the images: ``extractor(images, keypoints)``, (B, 17, 3), or
(B, 5, 3) for faces.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from plugins.common.devices import usable
from plugins.errors import KpstraError, one_of
from plugins.keypoints.crops import high_scores
from plugins.keypoints.joints import resized

from .data.images import read_image, rgb
from .host import torchreid
from .models import factory as models
from .models.feed import KeypointFeed, complexity, joints_taken, takes_keypoints
from .models.layout import evaluate_channels_last
from .models.options import building, network_settings
from .training.weights import load_all_features

NORMALISED = 20.0  # above every value of a normalised image, 2.64 with ImageNet's mean and deviation
Host = torchreid.utils.FeatureExtractor


class FeatureExtractor(Host):
    """The host's extractor, whose weights are read by :func:`load_all_features`.

    The host's own reader finds no name of the authors' checkpoints, takes ImageNet's weights where the file is missing,
    keeps random ones where the file is another model's, and is refused its own files by newer versions of torch.

    Args:
        model_name: in torchreid's factory, ours or the host's.
        model_path: a checkpoint.
        image_size: height and width; ``None`` takes 256x128, 112x112 for faces and 44x44 for expressions.
        device: ``None`` takes CUDA where there is one.
        kprpe, stra: what these settings of the training had that differs from the defaults.
        more: other arguments of the host's extractor: ``pixel_mean`` and ``pixel_std`` (ImageNet's, but for faces and
            expressions those of :mod:`reid_ext.models.inputs`), ``pixel_norm``, ``verbose``.

    Raises:
        KpstraError: no such model or file, or weights of another model or of other ``kprpe`` and ``stra``.
    """

    def __init__(
        self,
        model_name: str,
        model_path: str | Path,
        image_size: tuple[int, int] | None = None,
        device: str | None = None,
        kprpe: Mapping[str, Any] | None = None,
        stra: Mapping[str, Any] | None = None,
        **more: Any,
    ) -> None:
        models.register()
        one_of(model_name, getattr(torchreid.models, "__model_factory"), "model_name")
        if not isinstance(model_path, (str, Path)) or not Path(model_path).is_file():
            raise KpstraError(f"{model_path}: no such checkpoint file")
        images = models.input_of(model_name)
        image_size = images.size if image_size is None else image_size
        if not isinstance(image_size, (tuple, list)) or len(image_size) != 2 or not all(map(_is_size, image_size)):
            raise KpstraError(f"image_size: {image_size!r}: expected (height, width) in pixels, such as (256, 128)")
        device = str(usable(device or "auto"))
        load = partial(load_all_features, settings=network_settings(model_name, kprpe, stra))
        reading = patch.object(sys.modules[Host.__module__], "load_pretrained_weights", load)
        with reading, building(image_size, kprpe, stra):
            verbose = more.pop("verbose", False)  # the host's own count gives no keypoints
            more = {"verbose": False, "pixel_mean": [*images.mean], "pixel_std": [*images.std], **more}
            super().__init__(model_name, str(model_path), image_size, device=device, **more)
        if verbose:
            parameters, operations = complexity(self.model, (1, 3, *image_size))
            print(f"Model: {model_name}\n- params: {parameters:,}\n- flops: {operations:,}")
        evaluate_channels_last(self.model)
        self.preprocess.transforms.append(self._as_weights)
        self._size = tuple(image_size)
        self._taken = joints_taken(self.model)
        self._feed = KeypointFeed(self.model) if takes_keypoints(self.model) else None

    def __call__(self, input: Any, keypoints: Any = None) -> Tensor:
        """Return the features (B, D) of images.

        Args:
            input: an image or a list of them: a path, a PIL image, or an RGB array (H, W, 3) uint8; or a tensor
                (B, 3, H, W) or (3, H, W) that is normalised as the network's images are, of any size.
            keypoints: for a model that takes some, (B, L, 3): x, y in pixels of each image as it is given, before it
                is resized, and score; all 0 where a joint is absent. (L, 3) for a single image.

        Raises:
            KpstraError: an unreadable image, another shape or type, values that cannot be right, or keypoints that are
                missing or that the model does not take.
        """
        if (keypoints is None) != (self._feed is None):
            takes = (
                "takes no keypoints"
                if self._feed is None
                else f"takes keypoints: give (B, {self._taken}, 3) beside the images"
            )
            raise KpstraError(f"FeatureExtractor: {type(self.model).__name__} {takes}")
        if isinstance(input, Tensor):
            images = self._checked(input)
            if keypoints is not None:
                number = 1 if images.ndim == 3 else len(images)
                self._feed.give(_joints(keypoints, self._taken, [images.shape[-2:]] * number))
        else:
            images = [_array(image) for image in (input if isinstance(input, (list, tuple)) else [input])]
            if not images:
                raise KpstraError("FeatureExtractor: no images given")
            if keypoints is not None:
                self._feed.give(_joints(keypoints, self._taken, [image.shape[:2] for image in images], self._size))
        return super().__call__(images)

    def _checked(self, images: Tensor) -> Tensor:
        if images.ndim not in (3, 4) or images.shape[-3] != 3 or not images.is_floating_point() or not images.numel():
            raise KpstraError(f"FeatureExtractor: {images.dtype} {tuple(images.shape)}: expected floats (B, 3, H, W)")
        if not torch.isfinite(images).all():
            raise KpstraError("FeatureExtractor: the images hold values that are not finite")
        if (highest := images.abs().max().item()) > NORMALISED:
            raise KpstraError(
                f"FeatureExtractor: a tensor with values up to {highest:.4g}: expected normalised images; give pixels "
                "from 0 to 255 as uint8 arrays (H, W, 3), which are resized and normalised here"
            )
        return self._as_weights(images)

    def _as_weights(self, images: Tensor) -> Tensor:
        """Return the images in the precision of the network, which ``extractor.model.half()`` may have changed."""
        return images.to(next(self.model.parameters()).dtype)


def _array(image: Any) -> np.ndarray:
    """Return an image as (H, W, 3) uint8."""
    if isinstance(image, (str, Path)):
        image = read_image(str(image))
    if isinstance(image, Image.Image):
        try:
            return np.asarray(rgb(image))
        except ValueError as error:
            raise KpstraError(f"FeatureExtractor: a PIL image: {error}") from error
    if not isinstance(image, np.ndarray):
        raise KpstraError(
            f"FeatureExtractor: {type(image).__name__}: expected paths of images, PIL images, arrays (H, W, 3) uint8 "
            "or a tensor (B, 3, H, W)"
        )
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or not image.size:
        raise KpstraError(f"FeatureExtractor: {image.dtype} {image.shape}: expected paths of images or uint8 (H, W, 3)")
    return image


def _joints(keypoints: Any, taken: int, sizes: list[tuple[int, int]], target: tuple[int, int] | None = None) -> Tensor:
    """Return keypoints (B, L, 3) of images of these sizes, in pixels of the images resized to ``target``."""
    wanted = f"expected ({len(sizes)}, {taken}, 3), as images"
    try:
        array = np.asarray(keypoints.detach().cpu() if isinstance(keypoints, Tensor) else keypoints, np.float64)
    except (TypeError, ValueError) as error:
        raise KpstraError(f"FeatureExtractor: keypoints {keypoints!r:.60}: {wanted} ({error})") from None
    array = array[None] if array.ndim == 2 else array
    if array.shape != (len(sizes), taken, 3):
        raise KpstraError(f"FeatureExtractor: keypoints {array.shape}: {wanted}")
    if not np.isfinite(array).all():
        raise KpstraError("FeatureExtractor: the keypoints hold values that are not finite")
    if doubt := high_scores(array[..., 2]):
        warnings.warn(f"FeatureExtractor: {doubt}", stacklevel=3)
    if target is not None:
        absent = array[..., 2] <= 0
        array = np.stack([resized(joints, size, target) for joints, size in zip(array, sizes, strict=True)])
        array[absent] = 0
    return torch.from_numpy(array).float()


def _is_size(value: object) -> bool:
    return isinstance(value, int) and value > 0
