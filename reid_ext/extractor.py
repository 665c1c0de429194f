"""torchreid's ``FeatureExtractor`` for our models and checkpoints, also the authors' own.

>>> extractor = FeatureExtractor("resnet50_stra", "log/resnet50_stra/model/model.pth.tar-100")
>>> features = extractor(["a.jpg", "b.jpg"])                                                # (2, 512)
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any
from unittest.mock import patch

import torch
from torch import Tensor

from plugins.errors import KpstraError, one_of

from .host import torchreid
from .models import factory as models
from .training.weights import load_all_features

Host = torchreid.utils.FeatureExtractor


class FeatureExtractor(Host):
    """The host's extractor, whose weights are read by :func:`load_all_features`.

    The host's own reader finds no name of the authors' checkpoints, takes ImageNet's weights where the file is missing,
    keeps random ones where the file is another model's, and is refused its own files by newer versions of torch.

    Args:
        model_name: in torchreid's factory, ours or the host's.
        model_path: a checkpoint.
        image_size: height and width.
        device: ``None`` takes CUDA where there is one.
        more: other arguments of the host's extractor: ``pixel_mean``, ``pixel_std``, ``pixel_norm``, ``verbose``.

    Raises:
        KpstraError: no such model or file, or weights of another model.
    """

    def __init__(
        self,
        model_name: str,
        model_path: str | Path,
        image_size: tuple[int, int] = (256, 128),
        device: str | None = None,
        **more: Any,
    ) -> None:
        models.register()
        one_of(model_name, getattr(torchreid.models, "__model_factory"), "model_name")
        if not Path(model_path).is_file():
            raise KpstraError(f"{model_path}: no such checkpoint file")
        device = device or ("cuda" if torch.cuda.is_available() else "cpu")
        with patch.object(sys.modules[Host.__module__], "load_pretrained_weights", load_all_features):
            super().__init__(model_name, str(model_path), image_size, device=device, **{"verbose": False, **more})

    def __call__(self, input: Any) -> Tensor:
        """Return the features (B, D) of what the host's takes: paths, uint8 arrays (H, W, 3), or a tensor (B, 3, H, W).

        Raises:
            KpstraError: an unreadable image, a tensor of another shape, or values that are not finite.
        """
        if isinstance(input, Tensor):
            if input.ndim not in (3, 4) or input.shape[-3] != 3 or not input.is_floating_point():
                raise KpstraError(f"FeatureExtractor: {input.dtype} {tuple(input.shape)}: expected floats (B, 3, H, W)")
            if not torch.isfinite(input).all():
                raise KpstraError("FeatureExtractor: the images hold values that are not finite")
        try:
            return super().__call__(str(input) if isinstance(input, Path) else input)
        except (OSError, TypeError, ValueError, NotImplementedError) as error:
            raise KpstraError(
                f"FeatureExtractor: {str(error) or type(input).__name__}: expected paths of images, "
                "arrays (H, W, 3) uint8 or a tensor (B, 3, H, W)"
            ) from error
