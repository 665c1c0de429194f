"""StRA on CUDA: forward and backward as on a CPU, and under AMP."""

import pytest
import torch
from on_both import assert_same_on_cuda

from plugins.stra import StRAttention
from plugins.stra.operators import OPERATORS


@pytest.mark.parametrize("gate", ["sigmoid", "softmax"])
@pytest.mark.parametrize("operator", OPERATORS)
def test_forward_and_backward(operator, gate):
    """The features and the diversity loss."""
    x = torch.randn(3, 16, 9, 7)

    def forward(attention, device):
        y, diversity = attention(x.to(device))
        return torch.cat([y.flatten(), diversity])

    assert_same_on_cuda(StRAttention(16, 4, operator=operator, gate=gate), forward, rtol=1e-3)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_under_amp(dtype):
    """The diversity loss stays float32; gradients are finite."""
    attention, x = StRAttention(64).cuda().eval(), torch.randn(2, 64, 16, 8).cuda()
    wanted = attention(x)[0]
    with torch.autocast("cuda", dtype):
        y, diversity = attention(x)
        loss = y.float().square().mean() + diversity.mean()
    assert diversity.dtype == torch.float32
    assert (y.float() - wanted).abs().max() < 0.05 * wanted.abs().max()
    loss.backward()
    assert all(torch.isfinite(p.grad).all() for p in attention.parameters())
