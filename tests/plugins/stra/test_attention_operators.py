"""How StRA's attention is put together for CUDA: one operator for the sum over neighbourhoods, none for every image."""

import pytest
import torch
from operators import Operators, fake_cuda

from plugins.stra import StRAttention
from plugins.stra.neighbourhood import formulation


@pytest.mark.parametrize("training", [False, True], ids=["evaluation", "training"])
def test_operators_of_local_attention(training):
    """``aten.im2col`` would start a kernel an image, products copy the weights for every image."""
    attention = StRAttention(16, 4)
    with fake_cuda(attention.train(training)), Operators() as counted, torch.set_grad_enabled(training):
        attention(torch.empty(2, 16, 6, 4, device="cuda"))
    assert counted.calls["kpstra.gather_sum"] == 1 and counted.calls["aten.im2col"] == 0
    assert counted.calls["aten.convolution"] == 5
    assert counted.waits == []


def test_formulation_by_device():
    pytest.importorskip("triton", reason="Triton is not installed")
    names = [formulation(torch.device(device)).__name__ for device in ("cpu", "cuda")]
    assert names == ["plugins.stra.bands", "plugins.stra.kernels"]
