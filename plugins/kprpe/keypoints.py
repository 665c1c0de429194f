"""The keypoints of a batch: what they are, how pixels become them, and which are refused."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from ..answer import Answer
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
    x, y = points[..., :2].unbind(-1)
    return torch.stack(((x + 0.5) / size[1], (y + 0.5) / size[0]), dim=-1)  # no tensor of sizes: its copy would wait


def checked(points: Tensor, confidence: Tensor | None) -> AbstractContextManager[None]:
    """Do :func:`check_keypoints` beside a block: on CUDA the device looks while the host goes on.

    The end of the block waits for what the device was given before the check, not for what it was given since: no
    forward or backward is held up by it. Compiled code is not checked.

    >>> with checked(points, confidence):
    ...     network(images)

    Raises:
        KpstraError: as :func:`check_keypoints`; on CUDA at the end of the block, elsewhere at once.
    """
    if torch.compiler.is_compiling():
        return nullcontext()
    right = Answer(_right(points, confidence))
    if points.is_cuda:
        return _checked_at_the_end(right, points, confidence)
    if not right.read():
        check_keypoints(points, confidence)
    return nullcontext()


@contextmanager
def _checked_at_the_end(right: Answer, points: Tensor, confidence: Tensor | None) -> Iterator[None]:
    try:
        yield
    finally:
        if not right.read():
            check_keypoints(points, confidence)


def pixels_of(points: Tensor, size: Sequence[int]) -> Tensor:
    """Return points (..., 2), x and y in [0, 1] of an image of ``size`` (height, width), as its pixels.

    The inverse of :func:`normalise_keypoints`: ``x * width - 0.5``.

    Example:
        >>> pixels_of(torch.tensor([[0.5, 1.0]]), (64, 44))
        tensor([[21.5000, 63.5000]])
    """
    x, y = points.unbind(-1)
    return torch.stack((x * size[1] - 0.5, y * size[0] - 0.5), dim=-1)  # no tensor of sizes: its copy would wait


def _right(points: Tensor, confidence: Tensor | None) -> Tensor:
    right = ((_present(points, confidence) - 0.5).abs() < FAR + 0.5).all()  # false for NaN
    return right if confidence is None else right & ((confidence >= 0) & (confidence < SURE)).all()


def _present(points: Tensor, confidence: Tensor | None) -> Tensor:
    """Return the points with absent joints at zero."""
    if confidence is None or confidence.shape != points.shape[:-1]:
        return points
    return torch.where(confidence.unsqueeze(-1) == 0, 0.0, points)


def check_keypoints(points: Tensor, confidence: Tensor | None) -> None:
    """Refuse values that cannot be right, naming the first image; absent joints (confidence 0) may be anything.

    Waits for the device once.

    Raises:
        KpstraError: NaN or infinite values, points so far outside [0, 1] that they must be pixels, or confidences below
            0 or in per cent.
    """
    if bool(_right(points, confidence)):
        return
    points = _present(points, confidence)
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
