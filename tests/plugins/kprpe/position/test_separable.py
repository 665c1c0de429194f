"""The short way of the gradients equals that through the look-ups."""

import pytest
import torch

from plugins.kprpe import KeypointRPE, relative_buckets
from plugins.kprpe.position.global_grid import patch_centres
from plugins.kprpe.position.separable import selectors, separable_bias


@pytest.mark.parametrize("formulation", ["multihead", "relative", "absolute"])
@pytest.mark.parametrize("grid", [(14, 14), (5, 9), (1, 4), (7, 1)])
def test_bias_and_gradients_equal_the_plain_ones(formulation, grid, monkeypatch):
    torch.manual_seed(0)
    rpe = KeypointRPE(3, grid, 2, 2, formulation).double()
    for parameter in rpe.parameters():
        torch.nn.init.normal_(parameter)
    keypoints = torch.rand(3, 3, 2, dtype=torch.float64)
    weight = torch.randn(3, 2, grid[0] * grid[1], grid[0] * grid[1], dtype=torch.float64)
    results = []
    for plain in (False, True):
        if plain:
            monkeypatch.setattr(rpe, "_trains_separably", lambda image: False)
        bias = rpe.bias(rpe.factors(keypoints), 1)
        assert type(bias.grad_fn.next_functions[0][0]).__name__.startswith("_SeparableBias") != plain
        results.append([bias, *torch.autograd.grad((bias * weight).sum(), list(rpe.parameters()))])
    for a, b in zip(*results, strict=True):
        torch.testing.assert_close(a, b)


def test_gradcheck():
    index, buckets = relative_buckets(3, 4)
    tensors = [
        torch.randn(*shape, dtype=torch.float64, requires_grad=True)
        for shape in ((2, buckets), (2, buckets, 2), (3, 2, buckets))
    ]
    centres = patch_centres(3, 4).double()
    assert torch.autograd.gradcheck(lambda *given: separable_bias(*given, index, centres, (3, 4), 1.9), tensors)


def test_selectors_first_met_in_inference_mode_can_train():
    with torch.inference_mode():
        selectors(6, 5, 1.9, torch.device("cpu"), torch.float32)
    rpe = KeypointRPE(3, (6, 5), 1, 1)
    rpe.bias(rpe.factors(torch.rand(1, 3, 2)), 0).sum().backward()
    assert rpe.table_bias.grad.sum() == 30 * 30


def test_other_distances_prefixes_and_confidences_take_the_plain_way():
    points = torch.rand(2, 3, 2)
    for settings in ({"distance": "euclidean"}, {"distance": "cross"}, {"prefix_tokens": 1}):
        rpe = KeypointRPE(3, (4, 4), 1, 1, **settings)
        assert not rpe._trains_separably(rpe.factors(points).layer(0))
    rpe = KeypointRPE(3, (4, 4), 1, 1)
    assert rpe._trains_separably(rpe.factors(points).layer(0))
    assert not rpe._trains_separably(rpe.factors(points, torch.rand(2, 3)).layer(0))
