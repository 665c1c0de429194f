"""The share of B's variance over images, against loops."""

import torch
from torch import nn

from plugins.kprpe import KeypointRPE
from plugins.kprpe.position.share import image_share


def naive(bias):
    images, heads, n, _ = bias.shape
    between = total = 0.0
    for head in range(heads):
        for query in range(n):
            rows = [bias[b, head, query] - sum(bias[b, head, query]) / n for b in range(images)]
            mean = sum(rows) / images
            between += sum(((row - mean) ** 2).sum() for row in rows) / images
            total += sum((row**2).sum() for row in rows) / images
    return between / total


def test_equals_the_loops():
    bias = torch.randn(4, 2, 5, 5).double() + torch.randn(1, 2, 5, 5).double()
    torch.testing.assert_close(image_share(bias), naive(bias))


def test_what_the_softmax_ignores_does_not_count():
    bias = torch.randn(1, 2, 5, 5).double() + torch.randn(4, 2, 5, 1).double()
    assert image_share(bias) < 1e-12


def test_ends():
    assert image_share(torch.zeros(3, 2, 4, 4)) == 0
    assert image_share(torch.randn(1, 2, 4, 4)) == 0
    one = torch.randn(1, 2, 4, 4)
    assert image_share(torch.cat((one, -one))) == 1


def test_the_controls_have_none():
    points = torch.rand(6, 3, 2)
    for settings in ({"formulation": "static"}, {"formulation": "second_order", "keypoints": "constant"}):
        rpe = KeypointRPE(3, (3, 3), 2, 1, **settings)
        for p in rpe.parameters():
            nn.init.normal_(p)
        assert image_share(rpe.bias(points, 0)) < 1e-10
