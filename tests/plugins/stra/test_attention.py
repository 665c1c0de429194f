"""StRA's equations against naive loops, and what a module must survive."""

import copy
import pickle

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from plugins.errors import KpstraError
from plugins.stra import LocalAttention, ModeAttention, StRABottleneck, StRAInvertedResidual, StRAttention
from plugins.stra.neighbourhood import aggregate
from plugins.stra.operators import StandAloneSelfAttention

GROUPS, CHANNELS = 4, 16


def randomise_norms(module):
    for m in module.modules():
        if isinstance(m, nn.BatchNorm2d):
            nn.init.normal_(m.weight, 1, 0.3)
            nn.init.normal_(m.bias, 0, 0.3)
            nn.init.normal_(m.running_mean, 0, 0.3)
            nn.init.uniform_(m.running_var, 0.5, 2)
    return module


def neighbours(height, width, i, k=3):
    """The positions of the k*k neighbourhood of node i, None outside the image."""
    row, column = divmod(i, width)
    for dy in range(-(k // 2), k // 2 + 1):
        for dx in range(-(k // 2), k // 2 + 1):
            inside = 0 <= row + dy < height and 0 <= column + dx < width
            yield (row + dy, column + dx) if inside else None


@pytest.mark.parametrize("kernel_size", [3, 5])
def test_local_attention_equals_the_double_loop(kernel_size):
    attention = randomise_norms(LocalAttention(CHANNELS, GROUPS, kernel_size)).double().eval()
    x = torch.randn(2, CHANNELS, 4, 3, dtype=torch.float64)
    logits, u = attention.mask(x), attention.value(x)
    expected, n = torch.zeros_like(x), CHANNELS // GROUPS
    for b in range(2):
        for g in range(GROUPS):
            nu, omega = logits[b, g], logits[b, GROUPS + g * kernel_size**2 : GROUPS + (g + 1) * kernel_size**2]
            for i in range(12):
                row, column = divmod(i, 3)
                places = list(neighbours(4, 3, i, kernel_size))
                scores = torch.stack([omega[j, row, column] + (nu[p] if p else 0) for j, p in enumerate(places)])
                for a, p in zip(scores.softmax(0), places, strict=True):
                    if p:
                        expected[b, g * n : (g + 1) * n, row, column] += a * u[b, g * n : (g + 1) * n, p[0], p[1]]
    torch.testing.assert_close(attention(x), expected)


@pytest.mark.parametrize("interaction", [True, False])
@pytest.mark.parametrize("gate", ["sigmoid", "softmax"])
def test_mode_attention_equals_the_loop(interaction, gate):
    attention = randomise_norms(ModeAttention(CHANNELS, GROUPS, interaction, gate)).double().eval()
    s = torch.randn(2, CHANNELS, 4, 3, dtype=torch.float64)
    n = CHANNELS // GROUPS
    gate_of = torch.sigmoid if gate == "sigmoid" else lambda t: t.softmax(1)
    masks = attention.mask(s).flatten(2).softmax(2)
    nodes = s.view(2, GROUPS, n, 12)

    def inner(z, y):
        return torch.stack(
            [
                torch.stack([torch.stack([z[b, g] @ y[b, g, :, p] for p in range(12)]) for g in range(GROUPS)])
                for b in range(2)
            ]
        ).view(2, GROUPS, 4, 3)

    z = torch.stack(
        [
            torch.stack([sum(masks[b, g, p] * nodes[b, g, :, p] for p in range(12)) for g in range(GROUPS)])
            for b in range(2)
        ]
    )
    r = gate_of(attention.gate_norm(inner(z, nodes))).view(2, GROUPS, 1, 12)
    y = nodes + r * z.unsqueeze(3)
    if interaction:
        mixed = torch.zeros_like(z)
        for b in range(2):
            for g in range(GROUPS):
                products = torch.stack([z[b, g] @ z[b, j] for j in range(GROUPS)])
                weights = (GROUPS**0.5 * products / products.norm()).softmax(0)
                mixed[b, g] = sum(weights[j] * z[b, j] for j in range(GROUPS))
        r2 = gate_of(attention.interaction_norm(inner(mixed, y))).view(2, GROUPS, 1, 12)
        y = y + r2 * mixed.unsqueeze(3)
    out, diversity = attention(s)
    torch.testing.assert_close(out, y.view_as(s))
    overlap = torch.stack([sum(masks[b, :, p].max() for p in range(12)) for b in range(2)])
    torch.testing.assert_close(diversity, (GROUPS - overlap).float())


def test_sasa_equals_the_double_loop():
    attention = StandAloneSelfAttention(CHANNELS, GROUPS).double()
    x = torch.randn(2, CHANNELS, 4, 3, dtype=torch.float64)
    q, k, v = attention.query(x), attention.key(x), attention.value(x)
    expected, n = torch.zeros_like(x), CHANNELS // GROUPS
    for b in range(2):
        for g in range(GROUPS):
            own = slice(g * n, (g + 1) * n)
            for i in range(12):
                row, column = divmod(i, 3)
                query, scores, values = q[b, own, row, column], [], []
                for j, p in enumerate(neighbours(4, 3, i)):
                    relative = torch.cat((attention.relative_rows[g, j // 3], attention.relative_columns[g, j % 3]))
                    zero = torch.zeros(n, dtype=x.dtype)
                    scores.append(query @ ((k[b, own, p[0], p[1]] if p else zero) + relative))
                    values.append(v[b, own, p[0], p[1]] if p else zero)
                weights = torch.stack(scores).softmax(0)
                expected[b, own, row, column] = sum(a * value for a, value in zip(weights, values, strict=True))
    torch.testing.assert_close(attention(x), expected)


def test_aggregate_equals_unfold_with_gradients():
    weights = torch.randn(2, GROUPS, 9, 4, 3, dtype=torch.float64, requires_grad=True)
    values = torch.randn(2, CHANNELS, 4, 3, dtype=torch.float64, requires_grad=True)
    unfolded = F.unfold(values, 3, padding=1).view(2, GROUPS, CHANNELS // GROUPS, 9, 4, 3)
    expected = (weights.unsqueeze(2) * unfolded).sum(3).view_as(values)
    torch.testing.assert_close(aggregate(weights, values, 3), expected)
    assert torch.autograd.gradcheck(lambda a, u: aggregate(a, u, 3), (weights, values))


@pytest.mark.parametrize(("operator", "groups"), [("conv", 1), ("group_conv", GROUPS)])
def test_convolution_operators(operator, groups):
    attention = StRAttention(CHANNELS, GROUPS, operator=operator, mode_attention=False)
    x = torch.randn(2, CHANNELS, 5, 4)
    y, diversity = attention(x)
    torch.testing.assert_close(y, F.conv2d(x, attention.local.weight, padding=1, groups=groups))
    assert torch.equal(diversity, torch.zeros(2))


@pytest.mark.parametrize("operator", ["local", "conv", "group_conv", "sasa"])
@pytest.mark.parametrize("size", [(1, 1, 1), (3, 7, 2), (33, 2, 5)])
def test_any_size_and_batch_trains_every_parameter(operator, size):
    batch, height, width = size
    attention = StRAttention(CHANNELS, GROUPS, operator=operator)
    if batch * height * width == 1:
        attention.eval()  # batch statistics need more than one value
    y, diversity = attention(torch.randn(batch, CHANNELS, height, width))
    assert y.shape == (batch, CHANNELS, height, width) and diversity.shape == (batch,)
    (y.square().mean() + diversity.mean()).backward()
    assert all(p.grad is not None for p in attention.parameters())


def test_diversity_is_zero_for_disjoint_and_largest_for_equal_modes():
    attention = ModeAttention(CHANNELS, GROUPS).eval()
    nn.init.zeros_(attention.mask[3].weight)  # uniform masks: every mode everywhere
    _, diversity = attention(torch.randn(3, CHANNELS, 4, 4))
    torch.testing.assert_close(diversity, torch.full((3,), GROUPS - 1.0))


def test_value_convolution_can_be_left_to_the_caller():
    attention = LocalAttention(CHANNELS, GROUPS, value_conv=False)
    assert not any(name.startswith("value") for name, _ in attention.named_parameters())


def test_copies_are_independent_and_equal():
    attention = randomise_norms(StRAttention(CHANNELS, GROUPS)).eval()
    x = torch.randn(2, CHANNELS, 4, 3)
    for twin in (copy.deepcopy(attention), pickle.loads(pickle.dumps(attention))):
        assert torch.equal(twin(x)[0], attention(x)[0])
    attention(x)[0].sum().backward()
    copy.deepcopy(attention)  # also after a forward and a backward: no tensor with history is kept


def test_two_networks_interleaved_do_not_mix():
    first, second = StRAttention(CHANNELS, GROUPS).eval(), StRAttention(CHANNELS, GROUPS).eval()
    x = torch.randn(5, CHANNELS, 4, 3)
    alone = first(x)[1]
    second(x[:3])
    assert torch.equal(first(x)[1], alone)


@pytest.mark.parametrize("operator", ["local", "sasa"])
def test_bfloat16_autocast_stays_close(operator):
    attention = randomise_norms(StRAttention(CHANNELS, GROUPS, operator=operator)).eval()
    x = torch.randn(4, CHANNELS, 8, 4)
    y, diversity = attention(x)
    with torch.autocast("cpu", torch.bfloat16):
        y16, diversity16 = attention(x)
        (y16.float().square().mean() + diversity16.mean()).backward()
    assert diversity16.dtype == torch.float32
    torch.testing.assert_close(y16.float(), y, atol=0.1, rtol=0.05)
    torch.testing.assert_close(diversity16, diversity, atol=0.05, rtol=0)


@pytest.mark.parametrize("backend", ["aot_eager", pytest.param("inductor", marks=pytest.mark.slow)])
def test_compiles_to_one_graph(backend):
    attention = randomise_norms(StRAttention(CHANNELS, GROUPS))
    compiled = torch.compile(copy.deepcopy(attention), fullgraph=True, backend=backend)
    x = torch.randn(4, CHANNELS, 6, 4)
    for module in (attention, compiled):
        y, diversity = module(x)
        (y.square().mean() + diversity.mean()).backward()
    torch.testing.assert_close(compiled(x)[0], attention(x)[0])
    for a, b in zip(attention.parameters(), compiled.parameters(), strict=True):
        torch.testing.assert_close(a.grad, b.grad, atol=1e-5, rtol=1e-4)


def test_bottleneck_adds_the_identity():
    block = StRABottleneck(32, 8, groups=2)
    nn.init.zeros_(block.bn3.weight)
    x = torch.randn(2, 32, 4, 3)
    y, diversity = block(x)
    torch.testing.assert_close(y, x.relu())
    assert diversity.shape == (2,)


def test_inverted_residual_adds_the_identity_where_channels_agree():
    block = StRAInvertedResidual(16, 16, groups=8)
    nn.init.zeros_(block.conv3[1].weight)
    x = torch.randn(2, 16, 4, 3)
    torch.testing.assert_close(block(x)[0], x)
    assert StRAInvertedResidual(16, 24, groups=8)(x)[0].shape == (2, 24, 4, 3)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: StRAttention("64"), "StRA: channels = '64': expected a whole number from 1"),
        (lambda: StRAttention(64, groups=8.0), "StRA: groups = 8.0: expected a whole number from 1"),
        (lambda: StRAttention(64, ratio=0), "StRA: ratio = 0: expected a whole number from 1"),
        (lambda: StRAttention(64, ratio=100), r"channels // ratio \(64 // 100\) = 0: expected a whole number from 1"),
        (lambda: StRAttention(64)(np.zeros((2, 64, 8, 4))), r"StRAttention: expected a tensor \(B, C, H, W\), got nd"),
        (lambda: StRAttention(30), "channels = 30 does not split into groups = 8"),
        (lambda: StRAttention(24, groups=8), r"channels // ratio \(24 // 4\) = 6 does not split"),
        (lambda: StRAttention(16, GROUPS, operator="locall"), "did you mean 'local'"),
        (lambda: StRAttention(16, GROUPS, gate="relu"), "'relu' is not one of sigmoid, softmax"),
        (lambda: LocalAttention(16, GROUPS, kernel_size=4), "use an odd number"),
        (lambda: StRAttention(16, GROUPS)(torch.zeros(2, 16, 4)), r"expected a \(B, C, H, W\) feature map"),
        (lambda: StRAttention(16, GROUPS)(torch.zeros(2, 8, 4, 4)), "built for 16 channels, got 8"),
        (lambda: StRAttention(16, GROUPS)(torch.zeros(2, 16, 4, 4, dtype=torch.int64)), "got torch.int64"),
    ],
)
def test_mistakes_are_named(build, message):
    with pytest.raises(KpstraError, match=message):
        build()
