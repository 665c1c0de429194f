"""Centres of modes: equal to loops, differentiable, and what is refused."""

import math

import pytest
import torch

from plugins.errors import KpstraError
from plugins.modes import part_centres


def naive(logits):
    """Position by position, in plain numbers."""
    batch, groups, height, width = logits.shape
    points, confidence = torch.zeros(batch, groups, 2).double(), torch.zeros(batch, groups).double()
    for b in range(batch):
        for g in range(groups):
            weights = [[math.exp(logits[b, g, y, x].item()) for x in range(width)] for y in range(height)]
            total, entropy = sum(map(sum, weights)), 0.0
            for y in range(height):
                for x in range(width):
                    share = weights[y][x] / total
                    points[b, g, 0] += share * (x + 0.5) / width
                    points[b, g, 1] += share * (y + 0.5) / height
                    entropy -= share * math.log(share)
            confidence[b, g] = 1 - entropy / math.log(height * width)
    return points, confidence


def logits(*shape, scale=2.0, seed=0):
    return scale * torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def test_centres_equal_the_loop():
    x = logits(2, 3, 4, 5)
    points, confidence = naive(x)
    found = part_centres(x)
    torch.testing.assert_close(found.points, points)
    torch.testing.assert_close(found.confidence, confidence)
    torch.testing.assert_close(found.mask, torch.softmax(x.flatten(2), dim=2))


def test_gradients():
    x = logits(2, 2, 3, 4).requires_grad_()
    assert torch.autograd.gradcheck(lambda x: part_centres(x)[:2], (x,))


def test_from_everywhere_alike_to_one_position():
    """A shift of the peak by one column moves the centre by one column."""
    points, confidence, _ = part_centres(torch.zeros(1, 1, 6, 3))
    torch.testing.assert_close(points, torch.full((1, 1, 2), 0.5))
    assert confidence.item() == pytest.approx(0, abs=1e-6) and confidence.item() >= 0
    peaked = torch.zeros(1, 2, 6, 3)
    peaked[0, 0, 4, 1] = peaked[0, 1, 4, 2] = 200.0
    points, confidence, _ = part_centres(peaked.requires_grad_())
    torch.testing.assert_close(points, torch.tensor([[[0.5, 4.5 / 6], [2.5 / 3, 4.5 / 6]]]))
    assert torch.equal(confidence, torch.ones(1, 2))
    (gradient,) = torch.autograd.grad(points.sum() + confidence.sum(), peaked)
    assert torch.isfinite(gradient).all()  # also where the mask is 0
    assert torch.equal(part_centres(torch.randn(2, 1, 1, 1))[1], torch.ones(2, 1))


def test_float32_under_autocast():
    x = logits(1, 2, 16, 8).float()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = part_centres(x)
    assert torch.equal(found.points, part_centres(x).points) and found.points.dtype == torch.float32
    assert part_centres(x.bfloat16()).confidence.dtype == torch.float32


@pytest.mark.parametrize("shape", [(2, 3, 4), (2, 3, 0, 4)])
def test_other_shapes_are_refused(shape):
    with pytest.raises(KpstraError, match=r"part_centres: expected logits \(B, G, H, W\), got shape"):
        part_centres(torch.zeros(shape))
