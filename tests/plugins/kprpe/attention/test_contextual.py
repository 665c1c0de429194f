"""iRPE on queries, keys and values: a plain loop in float64, gradients too, and what it does not fit."""

import math

import pytest
import torch
from timm.layers import LayerNorm
from timm.models.vision_transformer import Attention
from torch import nn

from plugins.errors import KpstraError
from plugins.kprpe import relative_buckets
from plugins.kprpe.attention.contextual import ContextualAttention

GRID, DIM, HEADS = (3, 5), 6, 2


@pytest.fixture
def attention():
    torch.manual_seed(0)
    made = ContextualAttention(Attention(DIM, HEADS), GRID).double()
    for parameter in made.parameters():
        nn.init.normal_(parameter, std=0.5)
    return made


def loop(made, x):
    """The docstring's formula, pair by pair."""
    width, buckets = DIM // HEADS, relative_buckets(*GRID)[0]
    tables = [getattr(made, f"rpe_{name}").lookup_table_weight[0] for name in "qkv"]
    on_query, on_key, on_value = tables[0].T, tables[1].T, tables[2]  # K, d each
    out = []
    for image in x:
        qkv = made.qkv(image)
        tokens = []
        for i in range(len(image)):
            heads = []
            for h in range(HEADS):
                q, k, v = (qkv[:, part * DIM + h * width : part * DIM + (h + 1) * width] for part in range(3))
                scores = torch.stack(
                    [
                        (q[i] @ k[j] + q[i] @ on_key[buckets[i, j]] + k[j] @ on_query[buckets[j, i]]) / math.sqrt(width)
                        for j in range(len(image))
                    ]
                )
                weights = scores.softmax(0)
                heads.append(sum(weights[j] * (v[j] + on_value[buckets[i, j]]) for j in range(len(image))))
            tokens.append(made.proj(torch.cat(heads)))
        out.append(torch.stack(tokens))
    return torch.stack(out)


def test_it_is_the_loop_with_its_gradients(attention):
    x = torch.randn(2, 15, DIM, dtype=torch.float64, requires_grad=True)
    sides = []
    for forward in (attention, lambda x: loop(attention, x)):
        out = forward(x)
        sides.append((out, *torch.autograd.grad((out**3).sum(), [x, *attention.parameters()])))
    for ours, expected in zip(*sides, strict=True):
        torch.testing.assert_close(ours, expected)
    assert all(grad.abs().max() > 1e-3 for grad in sides[0])


def test_zero_tables_are_the_hosts_attention():
    torch.manual_seed(0)
    host = Attention(DIM, HEADS).eval()
    x = torch.randn(2, 15, DIM)
    before = host(x)
    made = ContextualAttention(host, GRID).eval()
    torch.testing.assert_close(made(x), before)
    nn.init.ones_(made.rpe_v.lookup_table_weight)
    assert not torch.allclose(made(x), before)


def test_what_it_does_not_fit_is_told(attention):
    with pytest.raises(KpstraError, match="16 tokens: expected the 15 of the grid"):
        attention(torch.zeros(1, 16, DIM))
    with pytest.raises(KpstraError, match="no mask"):
        attention(torch.zeros(1, 15, DIM), torch.zeros(15, 15))
    with pytest.raises(KpstraError, match="Attention has q_norm, k_norm: expected plain"):
        ContextualAttention(Attention(DIM, HEADS, qk_norm=True, norm_layer=LayerNorm), GRID)
