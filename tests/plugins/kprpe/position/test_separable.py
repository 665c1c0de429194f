"""The short way of the gradients equals that through the look-ups."""

import pytest
import torch

from plugins.kprpe import KeypointRPE, relative_buckets
from plugins.kprpe.position.separable import selectors, separable_lookup, weighted_selectors


@pytest.mark.parametrize("formulation", ["multihead", "relative", "absolute", "second_order", "nonlinear"])
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
            monkeypatch.setattr(rpe, "_trains_separably", lambda: False)
        bias = rpe.bias(rpe.factors(keypoints), 1)
        results.append([bias, *torch.autograd.grad((bias * weight).sum(), list(rpe.parameters()))])
    for a, b in zip(*results, strict=True):
        torch.testing.assert_close(a, b)


def test_gradcheck():
    index, buckets = relative_buckets(3, 4)
    tables = torch.randn(2, 2, 12, buckets, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda given: separable_lookup(given, index, (3, 4), 1.9), tables)


def test_selectors_first_met_in_inference_mode_can_train():
    with torch.inference_mode():
        selectors(6, 5, 1.9, torch.device("cpu"), torch.float32)
    rpe = KeypointRPE(3, (6, 5), 1, 1)
    rpe.bias(rpe.factors(torch.rand(1, 3, 2)), 0).sum().backward()
    assert rpe.table_bias.grad.sum() == 30 * 30


def test_other_distances_and_prefixes_take_the_plain_way():
    for settings in ({"distance": "euclidean"}, {"distance": "cross"}, {"prefix_tokens": 1}):
        assert not KeypointRPE(3, (4, 4), 1, 1, **settings)._trains_separably()
    rpe = KeypointRPE(3, (4, 4), 1, 1)
    assert rpe._trains_separably()
    with torch.no_grad():
        assert not rpe._trains_separably()


def test_selectors_first_met_under_another_default_device():
    with torch.device("meta"):
        weighted_selectors(7, 4, 1.9, 1, torch.device("cpu"), torch.float32)
    rpe = KeypointRPE(3, (7, 4), 1, 1)
    rpe.bias(rpe.factors(torch.rand(1, 3, 2)), 0).sum().backward()
    assert rpe.table_bias.grad.sum() == 28 * 28
