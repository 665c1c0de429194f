"""The keypoints of a batch: what they are, how pixels become them, and which are refused."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from ..errors import KpstraError

FAR = 4.0  # widths or heights of the input beyond its edge; a joint that augmentation moved out stays nearer
SURE = 4.0  # above every confidence: peaks of heatmaps pass 1 a little, COCO's visibility goes to 2


class Keypoints(NamedTuple):
    """Joints of a batch: points (B, L, 2) or (B, T, L, 2), (x, y) in [0, 1] of the network input, and their
    confidences (B, L) or (B, T, L)."""

    points: Tensor
    confidence: Tensor | None = None


def normalise_keypoints(points: Tensor | np.ndarray, size: Sequence[int]) -> Tensor:
    """Return pixels (..., 2 or more), x and y first, as (x, y) in [0, 1] of an image of ``size`` (height, width).

    ``(x + 0.5) / width``: whole numbers are pixel centres. Use the size of what the network is given, after every crop
    and resize.

    Raises:
        KpstraError: ``size`` is not two numbers above 0, such as a whole (channels, height, width).

    Example:
        >>> normalise_keypoints(torch.tensor([[0.0, 63.0]]), (64, 44))
        tensor([[0.0114, 0.9922]])
    """
    size = tuple(size) if isinstance(size, Sequence | Tensor | np.ndarray) else (size,)
    if len(size) != 2 or min(size) <= 0:
        raise KpstraError(f"normalise_keypoints: size {size}: expected (height, width) in pixels")
    points = torch.as_tensor(points)
    points = points if points.is_floating_point() else points.float()
    extent = torch.tensor([size[1], size[0]], dtype=points.dtype, device=points.device)
    return (points[..., :2] + 0.5) / extent


def check_keypoints(points: Tensor, confidence: Tensor | None) -> None:
    """Refuse values that cannot be right, naming the first image; absent joints (confidence 0) may be anything.

    Waits for the device once.

    Raises:
        KpstraError: NaN or infinite values, points so far outside [0, 1] that they must be pixels, or confidences below
            0 or in per cent.
    """
    if confidence is not None and confidence.shape == points.shape[:-1]:
        points = torch.where(confidence.unsqueeze(-1) == 0, 0.0, points)
    right = ((points - 0.5).abs() < FAR + 0.5).all()  # false for NaN
    if bool(right if confidence is None else right & ((confidence >= 0) & (confidence < SURE)).all()):
        return
    for name, values in (("keypoints", points), ("confidence", confidence)):
        if values is not None and not torch.isfinite(values).all():
            image = int((~torch.isfinite(values.flatten(1))).any(dim=1).nonzero()[0])
            raise KpstraError(
                f"KP-RPE: {name} of image {image} are NaN or infinite; give absent joints the confidence 0"
            )
    if confidence is not None and (wrong := ((confidence < 0) | (confidence >= SURE)).flatten(1)).any():
        image = int(wrong.any(dim=1).nonzero()[0])
        value = confidence.flatten(1)[image][wrong[image]][0].item()
        raise KpstraError(
            f"KP-RPE: confidence of image {image} is {value:.4g}; expected 0 to 1: divide percentages by 100, and give "
            "absent joints the confidence 0"
        )
    furthest = (points - 0.5).abs().flatten(1)
    image = int((furthest >= FAR + 0.5).any(dim=1).nonzero()[0])
    value = points.flatten(1)[image, furthest[image].argmax()].item()
    raise KpstraError(
        f"KP-RPE: keypoints of image {image} reach {value:.4g}; expected (x, y) in [0, 1] of the network input: "
        "convert pixels with normalise_keypoints(points, (height, width)), and give absent joints the confidence 0"
    )
