"""The skeleton painted into images: against a loop over pixels and limbs; scores, absent joints."""

import math

import torch

from plugins.joint_inputs.skeleton import COLOURS, draw_skeleton
from plugins.keypoints.joints import COCO17
from plugins.pictures.overlay import LIMBS


def distance(pixel, a, b):
    """Of a pixel from a segment, in plain numbers."""
    (px, py), (ax, ay), (bx, by) = pixel, a, b
    length = (bx - ax) ** 2 + (by - ay) ** 2
    t = 0 if length == 0 else min(max(((px - ax) * (bx - ax) + (py - ay) * (by - ay)) / length, 0), 1)
    return math.hypot(px - ax - t * (bx - ax), py - ay - t * (by - ay))


def side(limb):
    names = {COCO17[joint].split("_")[0] for joint in limb} - {"nose"}
    return names.pop() if len(names) == 1 else "middle"


def naive(image, points, scores, width, low, high):
    image = image.clone()
    for name, colour in COLOURS.items():
        for y in range(image.shape[1]):
            for x in range(image.shape[2]):
                mask = max(
                    min(max(width / 2 + 0.5 - distance((x, y), points[a].tolist(), points[b].tolist()), 0), 1)
                    * min(scores[a].item(), scores[b].item())
                    for a, b in LIMBS
                    if side((a, b)) == name
                )
                for channel in range(3):
                    value = low + (high - low) * colour[channel]
                    image[channel, y, x] += mask * (value - image[channel, y, x])
    return image


def test_lines_are_those_of_a_loop():
    chance = torch.Generator().manual_seed(0)
    images = torch.rand(2, 3, 12, 9, generator=chance)
    points, scores = torch.rand(2, 17, 2, generator=chance) * 14 - 2, torch.rand(2, 17, generator=chance)
    found = draw_skeleton(images, points, scores, 1.5, -2.0, 2.5)
    expected = torch.stack(
        [naive(*each, 1.5, -2.0, 2.5) for each in zip(images, points.double(), scores.double(), strict=True)]
    )
    assert torch.allclose(found, expected, atol=1e-5)
    assert not torch.allclose(found, images, atol=0.5)


def test_absent_joints_draw_nothing():
    images, points = torch.rand(1, 3, 12, 9), torch.full((1, 17, 2), math.nan)
    assert torch.equal(draw_skeleton(images, points, torch.zeros(1, 17), 2.0, 0.0, 1.0), images)
