"""How many operators StRA's bottleneck starts on CUDA, beside the one it replaces; none waits for the device."""

import pytest
import torch
from operators import Operators, fake_cuda
from torchvision.models.resnet import Bottleneck

from plugins.stra import StRABottleneck


def operators(block, training):
    with fake_cuda(block.train(training)):
        x = torch.empty(4, 256, 16, 8, device="cuda")
        with Operators() as counted, torch.set_grad_enabled(training):
            block(x)
    return counted


@pytest.mark.parametrize(
    ("training", "most", "replaced"), [(False, 44, 10), (True, 53, 13)], ids=["evaluation", "training"]
)
def test_operators_of_a_block(training, most, replaced):
    """Half as many again as the convolution's block was aimed at; this is the least there was, as docs/gpu.md says."""
    counted = operators(StRABottleneck(256, 64), training)
    assert counted.waits == []
    assert counted.calls.total() <= most, dict(counted.calls)
    assert operators(Bottleneck(256, 64), training).calls.total() == replaced
