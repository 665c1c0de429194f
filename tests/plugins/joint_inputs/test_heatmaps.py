"""Joints as heat maps: the maps against a loop, and a convolution that sees them beside its input."""

import math

import torch
from torch import nn
from torch.nn import functional

from plugins.joint_inputs.heatmaps import joint_maps, widen


def naive(points, scores, size, sigma):
    maps = torch.zeros(*points.shape[:-1], *size)
    for index in torch.cartesian_prod(*map(torch.arange, maps.shape)):
        *joint, row, column = index.tolist()
        x, y = points[tuple(joint)].tolist()
        distance = (column - x) ** 2 + (row - y) ** 2
        maps[tuple(index)] = scores[tuple(joint)] * math.exp(-distance / (2 * sigma**2))
    return maps


def test_maps():
    """A Gaussian around each joint, as high as its score; none, not even of NaN, for a joint that is absent."""
    chance = torch.Generator().manual_seed(0)
    points = torch.rand(2, 3, 2, generator=chance) * 9 - 1
    scores = torch.tensor([[1.0, 0.3, 0.0], [0.8, 1.0, 0.5]])
    expected = naive(points, scores, (6, 5), 1.5)
    assert torch.allclose(joint_maps(points, scores, (6, 5), 1.5), expected, atol=1e-6)
    points[0, 2] = math.nan
    found = joint_maps(points, scores, (6, 5), 1.5)
    assert torch.equal(found[0, 2], torch.zeros(6, 5)) and torch.isfinite(found).all()


def test_a_widened_convolution_is_one_of_both():
    conv = nn.Conv2d(3, 4, 3, stride=2, padding=1)
    x, maps = torch.rand(2, 3, 8, 6), torch.rand(2, 5, 8, 6)
    plain = conv(x)
    widen(conv, 5)
    conv.maps = maps
    assert torch.allclose(conv(x), plain, atol=1e-6)
    nn.init.normal_(conv.maps_weight)
    weight = torch.cat([conv.weight, conv.maps_weight], 1)
    expected = functional.conv2d(torch.cat([x, maps], 1), weight, conv.bias, stride=2, padding=1)
    assert torch.allclose(conv(x), expected, atol=1e-6) and not torch.allclose(conv(x), plain, atol=1e-2)
