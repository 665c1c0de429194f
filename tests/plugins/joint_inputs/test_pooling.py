"""Pooling around the joints: against loops, parts without joints, the start at zero."""

import math

import torch

from plugins.joint_inputs.pooling import PARTS, SIGMA, JointPooling


def naive(tokens, points, scores, joints):
    height, width, channels = tokens.shape
    total, pooled = 0.0, torch.zeros(channels)
    for row in range(height):
        for column in range(width):
            weight = 0.0
            for joint in joints:
                x, y = points[joint, 0].item() * width - 0.5, points[joint, 1].item() * height - 0.5
                weight += scores[joint].item() * math.exp(-((column - x) ** 2 + (row - y) ** 2) / (2 * SIGMA**2))
            total, pooled = total + weight, pooled + weight * tokens[row, column]
    return pooled / total


def test_parts_are_weighted_means():
    chance = torch.Generator().manual_seed(0)
    tokens = torch.rand(2, 5, 3, 4, generator=chance)
    points, scores = torch.rand(2, 17, 2, generator=chance), torch.rand(2, 17, generator=chance)
    found = JointPooling(4).parts(tokens, points, scores)
    for i in range(2):
        for part, joints in enumerate(PARTS.values()):
            expected = naive(tokens[i], points[i], scores[i], joints)
            assert torch.allclose(found[i, part], expected, atol=1e-5)


def test_a_part_without_joints_is_zero_and_leaves_gradients_finite():
    pooling, points = JointPooling(4), torch.full((1, 17, 2), math.nan, requires_grad=True)
    tokens = torch.rand(1, 5, 3, 4, requires_grad=True)
    found = pooling.parts(tokens, points, torch.zeros(1, 17))
    found.sum().backward()
    assert not found.any() and torch.isfinite(tokens.grad).all()


def test_it_begins_as_the_global_feature():
    pooling, feature = JointPooling(4), torch.rand(2, 4)
    tokens, points, scores = torch.rand(2, 5, 3, 4), torch.rand(2, 17, 2), torch.ones(2, 17)
    assert torch.equal(pooling(feature, tokens, points, scores), feature)
    torch.nn.init.normal_(pooling.project.weight)
    assert not torch.allclose(pooling(feature, tokens, points, scores), feature)
