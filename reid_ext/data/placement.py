"""Where a transform of the host's puts each pixel: its own code moves an image that remembers what was done to it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from PIL import Image
from torchvision import transforms as T

from plugins.errors import KpstraError
from plugins.keypoints.joints import FLIPPED_JOINTS, FLIPPED_POINTS

FLIPS = {len(order): order for order in (FLIPPED_JOINTS, FLIPPED_POINTS)}  # by the number of joints
MOVING = ("Resize", "RandomHorizontalFlip", "Random2DTranslation", "RandomAffine")  # steps that move pixels
STAYING = ("RandomPatch", "ColorJitter", "ColorAugmentation", "ToTensor", "Normalize", "RandomErasing")


@dataclass(frozen=True)
class Placement:
    """``p -> A p + t`` for p = (x, y) in pixels, whole numbers being centres; left and right joints change names if
    ``mirrored``."""

    linear: tuple[tuple[float, float], tuple[float, float]] = ((1.0, 0.0), (0.0, 1.0))  # A
    shift: tuple[float, float] = (0.0, 0.0)  # t
    mirrored: bool = False

    def then(self, linear: np.ndarray | tuple, shift: np.ndarray | tuple) -> Placement:
        """Return this followed by ``p -> linear p + shift``; two numbers for ``linear`` are factors of x and y."""
        linear = np.asarray(linear, float)
        linear = np.diag(linear) if linear.ndim == 1 else linear
        shifted = linear @ self.shift + np.asarray(shift, float)
        whole = (linear @ self.linear).tolist()
        return replace(self, linear=(tuple(whole[0]), tuple(whole[1])), shift=tuple(shifted.tolist()))

    def move(self, keypoints: np.ndarray) -> np.ndarray:
        """Return keypoints (17 or 5, 3), x, y and score, where they are now; absent ones stay 0, 0, 0."""
        moved = np.array(keypoints, float)
        moved[:, :2] = moved[:, :2] @ np.transpose(self.linear) + self.shift
        moved[keypoints[:, 2] <= 0] = 0
        return moved[FLIPS[len(moved)]] if self.mirrored else moved


class TrackedImage(Image.Image):
    """A PIL image with its :class:`Placement`."""

    place: Placement

    def resize(self, size: tuple[int, int], resample: Any = None) -> TrackedImage:
        """As PIL's; pixel centres move as PIL moves them."""
        scale = (size[0] / self.width, size[1] / self.height)
        place = self.place.then(scale, tuple(factor / 2 - 0.5 for factor in scale))
        return tracked(super().resize(size, resample), place)

    def crop(self, box: tuple[int, int, int, int] | None = None) -> TrackedImage:
        """As PIL's."""
        left, top = box[:2] if box else (0, 0)
        return tracked(super().crop(box), self.place.then((1, 1), (-left, -top)))

    def transpose(self, method: Any) -> Image.Image:
        """As PIL's; only the flip from left to right is known."""
        turned = super().transpose(method)
        if method != Image.Transpose.FLIP_LEFT_RIGHT:
            raise KpstraError(f"keypoints cannot follow an image through PIL's transpose {method}")
        place = self.place.then((-1, 1), (self.width - 1, 0))
        return tracked(turned, replace(place, mirrored=not place.mirrored))

    def transform(self, size: tuple[int, int], method: Any, data: Any = None, *args: Any, **kwargs: Any) -> Image.Image:
        """As PIL's; only affine maps are known. ``data`` is (a, b, c, d, e, f), which take the result's points, pixel
        (0, 0) having its centre at (0.5, 0.5), to this image's."""
        moved = super().transform(size, method, data, *args, **kwargs)
        if method != Image.Transform.AFFINE:
            raise KpstraError(f"keypoints cannot follow an image through PIL's transform {method}")
        back = np.reshape(np.asarray(data, float), (2, 3))
        forth = np.linalg.inv(back[:, :2])
        shift = forth @ (0.5 - back[:, 2]) - 0.5
        return tracked(moved, self.place.then(forth, shift))


def tracked(image: Image.Image, place: Placement | None = None) -> TrackedImage:
    """Turn an image, in place, into one that remembers where its pixels come from."""
    image.__class__ = TrackedImage
    image.place = place or Placement()
    return image


class TrackedTransform:
    """One of the host's transforms; ``places`` has the placement of every image since it was last cleared.

    The host's own steps run, in their order, on the same random numbers: images are theirs to the bit.

    Raises:
        KpstraError: a step of which it is not known whether it moves pixels.
    """

    def __init__(self, transform: Callable) -> None:
        steps = transform.transforms if isinstance(transform, T.Compose) else [transform]
        for step in steps:
            name = type(step).__name__
            if name not in (*MOVING, *STAYING):
                raise KpstraError(f"keypoints cannot follow images through {name}: known are {', '.join(MOVING)}")
        self.steps, self.places = steps, []

    def __call__(self, image: Image.Image) -> Any:
        """Transform an image as the host does."""
        place = Placement()
        for step in self.steps:
            if isinstance(image, Image.Image):
                image = tracked(image, place)
            image = step(image)
            if isinstance(image, TrackedImage):
                place = image.place
        self.places.append(place)
        return image
