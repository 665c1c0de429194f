"""The skeleton painted into a batch of images, for networks that have no other place for joints."""

from __future__ import annotations

from functools import cache

import torch
from torch import Tensor

from ..keypoints.joints import COCO17
from ..pictures.overlay import LIMBS

COLOURS = {"left": (1.0, 0.0, 0.0), "right": (0.0, 1.0, 0.0), "middle": (0.0, 0.0, 1.0)}  # red, green, blue in [0, 1]


def draw_skeleton(images: Tensor, points: Tensor, scores: Tensor, width: float, low: float, high: float) -> Tensor:
    """Return images with lines between COCO's joints, in other colours left, right and between the sides.

    A limb is drawn as strongly as the lower score of its two joints; the line's edge falls off over one pixel.

    Args:
        images: (B, 3, H, W).
        points: (B, 17, 2), (x, y) in pixels, whole numbers being pixel centres.
        scores: (B, 17), taken as 0 to 1; a joint of score 0 may be anywhere, NaN too, and has no lines.
        width: of the lines, in pixels.
        low, high: the images' values of black and white, such as -2 and 2 of normalised ones.

    Returns:
        (B, 3, H, W).
    """
    scores = scores.clamp(0, 1)
    points = torch.where(scores.unsqueeze(-1) > 0, points, 0.0)
    ends, sides = _limbs()
    start, end = (torch.stack([points[:, limb[i]] for limb in ends], 1) for i in (0, 1))  # B, limbs, 2
    strength = torch.stack([torch.minimum(scores[:, first], scores[:, second]) for first, second in ends], 1)
    distance = _distances(start, end, images.shape[-2:])
    masks = (width / 2 + 0.5 - distance).clamp(0, 1) * strength[..., None, None]  # B, limbs, H, W
    colours = torch.tensor([*COLOURS.values()], dtype=images.dtype).to(images.device, non_blocking=True)
    colours = colours * (high - low) + low
    for side, colour in enumerate(colours):
        mask = torch.stack([masks[:, i] for i, of in enumerate(sides) if of == side], 1).amax(1, keepdim=True)
        images = images + mask.to(images.dtype) * (colour[:, None, None] - images)
    return images


def _distances(start: Tensor, end: Tensor, size: tuple[int, int]) -> Tensor:
    """Return the distance of every pixel from line segments (B, n, 2): (B, n, H, W)."""
    x, y = (torch.arange(side, device=start.device, dtype=start.dtype) for side in (size[1], size[0]))
    along = end - start
    ox, oy = x - start[..., :1], y - start[..., 1:]  # B, n, W and B, n, H
    dot = (oy * along[..., 1:]).unsqueeze(-1) + (ox * along[..., :1]).unsqueeze(-2)
    t = (dot / along.square().sum(-1).clamp(min=1e-6)[..., None, None]).clamp(0, 1)
    dx = ox.unsqueeze(-2) - t * along[..., 0, None, None]
    dy = oy.unsqueeze(-1) - t * along[..., 1, None, None]
    return (dx.square() + dy.square()).sqrt()


@cache
def _limbs() -> tuple[tuple[tuple[int, int], ...], tuple[int, ...]]:
    """Return the limbs and the place of each one's side in :data:`COLOURS`."""
    names = list(COLOURS)
    sides = []
    for limb in LIMBS:
        of = {COCO17[joint].partition("_")[0] for joint in limb} - {"nose"}
        sides.append(names.index(of.pop() if len(of) == 1 else "middle"))
    return tuple(LIMBS), tuple(sides)
