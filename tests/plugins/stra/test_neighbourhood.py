"""The fast paths of StRA against plain ones: banded products, and 1x1 convolutions as matrix products."""

import copy

import pytest
import torch
import torch.nn.functional as F
from torch.autograd import gradcheck, gradgradcheck
from torch.utils.checkpoint import checkpoint

from plugins.benchmarks.speed.stra import NaiveStRA
from plugins.stra import StRAttention, bands
from plugins.stra.layers import GroupedPointwiseConv2d
from plugins.stra.neighbourhood import aggregate, gather_sum, scatter_sum
from plugins.stra.neighbourhood import neighbour_products as products

SLOW = pytest.mark.slow
MAPS = [(4, 3), (1, 1), (1, 6), (7, 2), (5, 9)]


def plain(weights, values, kernel_size):
    """Eq. 2's sum over an unfolded tensor."""
    batch, groups, offsets, height, width = weights.shape
    unfolded = F.unfold(values, kernel_size, padding=kernel_size // 2).view(batch, groups, -1, offsets, height, width)
    return (weights.unsqueeze(2) * unfolded).sum(3).view(values.shape)


def inputs(kernel_size, height, width, dtype=torch.float64, groups=2, channels=6):
    weights = torch.randn(2, groups, kernel_size**2, height, width, dtype=dtype, requires_grad=True)
    return weights, torch.randn(2, channels, height, width, dtype=dtype, requires_grad=True)


@pytest.mark.parametrize("strip", [1, 6, 64])
@pytest.mark.parametrize("size", MAPS)
@pytest.mark.parametrize("kernel_size", [1, 3, 5])
def test_sums_and_gradients_equal_the_unfolded(kernel_size, size, strip, monkeypatch):
    monkeypatch.setattr(bands, "STRIP", strip)
    tensors = inputs(kernel_size, *size)
    found, expected = (f(*tensors, kernel_size) for f in (aggregate, plain))
    torch.testing.assert_close(found, expected)
    grad = torch.randn_like(found)
    for a, b in zip(*(torch.autograd.grad(y, tensors, grad) for y in (found, expected)), strict=True):
        torch.testing.assert_close(a, b)


@pytest.mark.parametrize(("kernel_size", "size"), [(3, (4, 3)), (5, (3, 2)), (1, (2, 2))])
def test_first_and_second_derivatives(kernel_size, size, monkeypatch):
    monkeypatch.setattr(bands, "STRIP", 6)
    tensors = inputs(kernel_size, *size, groups=1, channels=2)
    assert gradcheck(lambda a, u: aggregate(a, u, kernel_size), tensors)
    assert gradgradcheck(lambda a, u: aggregate(a, u, kernel_size), tensors)


@pytest.mark.parametrize("layout", ["transposed", "channels last", "expanded"])
def test_layouts(layout):
    weights, values = (t.detach() for t in inputs(3, 5, 4))
    if layout == "transposed":
        weights, values = weights.transpose(3, 4), values.transpose(2, 3)
    elif layout == "channels last":
        values = values.to(memory_format=torch.channels_last)
    else:
        weights, values = weights[:1].expand_as(weights), values[:1].expand_as(values)
    torch.testing.assert_close(aggregate(weights, values, 3), plain(weights, values.contiguous(), 3))


@pytest.mark.parametrize("wanted", [0, 1])
def test_only_wanted_gradients(wanted):
    tensors = [t.detach() for t in inputs(3, 5, 4)]
    tensors[wanted].requires_grad_()
    found, expected = (torch.autograd.grad(f(*tensors, 3).square().sum(), tensors[wanted]) for f in (aggregate, plain))
    torch.testing.assert_close(found, expected)
    assert tensors[1 - wanted].grad is None


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_values_under_autocast_with_full_weights(dtype):
    weights, values = inputs(3, 16, 8, torch.float32)
    halves = values.to(dtype)
    with torch.autocast("cpu", torch.bfloat16):
        y = aggregate(weights, halves, 3)
        y.float().square().sum().backward()
    assert y.dtype == dtype and weights.grad.dtype == values.grad.dtype == torch.float32
    torch.testing.assert_close(y.float(), plain(weights, values, 3), atol=0.1, rtol=0.05)
    full = aggregate(weights, values, 3)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(aggregate(weights, values, 3), full)  # values in full precision stay so


def test_keeps_weights_and_values_only():
    weights, values = inputs(3, 16, 8)
    kept = []
    with torch.autograd.graph.saved_tensors_hooks(lambda t: kept.append(t.data_ptr()) or t, lambda t: t):
        aggregate(weights, values, 3)
    assert sorted(kept) == sorted([weights.data_ptr(), values.data_ptr()])


@pytest.mark.parametrize(
    "operator", [gather_sum, pytest.param(scatter_sum, marks=SLOW), pytest.param(products, marks=SLOW)]
)
def test_operators_are_registered_soundly(operator):
    left = torch.randn(2, 3 if operator is products else 9, 5, 4, requires_grad=True)
    torch.library.opcheck(operator, (left, torch.randn(2, 3, 5, 4, requires_grad=True), 3))


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_pointwise_convolution_equals_torchs(layout, bias):
    conv = GroupedPointwiseConv2d(12, 8, groups=4, bias=bias).double()
    x = torch.randn(3, 12, 5, 4, dtype=torch.float64).to(memory_format=layout).requires_grad_()
    expected = F.conv2d(x, conv.weight, conv.bias, groups=4)
    torch.testing.assert_close(conv(x), expected)
    tensors, grad = [x, *conv.parameters()], torch.randn_like(expected)
    for a, b in zip(*(torch.autograd.grad(y, tensors, grad) for y in (conv(x), expected)), strict=True):
        torch.testing.assert_close(a, b)
    assert torch.nn.Conv2d(12, 8, 1, groups=4, bias=bias).state_dict().keys() == conv.state_dict().keys()


@pytest.mark.parametrize("kernel_size", [1, 3, 5])
def test_whole_attention_equals_the_formula_written_out(kernel_size):
    ours = StRAttention(32, 4, kernel_size).double()
    x = torch.randn(3, 32, 6, 5, dtype=torch.float64, requires_grad=True)
    tensors, grads = [x, *ours.parameters()], []
    for module in (ours, NaiveStRA(copy.deepcopy(ours))):
        y, diversity = module(x)
        leaves = [x, *module.parameters()]
        grads.append((y, *torch.autograd.grad(y.square().mean() + diversity.mean(), leaves)))
    assert len(grads[0]) == len(grads[1]) == len(tensors) + 1
    for a, b in zip(*grads, strict=True):
        torch.testing.assert_close(a, b, atol=1e-7, rtol=1e-5)


def test_checkpointing_gives_the_same_gradients():
    attention, x = StRAttention(16, 4).eval(), torch.randn(2, 16, 5, 4, requires_grad=True)
    grads = [
        torch.autograd.grad(f(x)[0].square().sum(), x)[0]
        for f in (attention, lambda t: checkpoint(attention, t, use_reentrant=False))
    ]
    torch.testing.assert_close(*grads)
