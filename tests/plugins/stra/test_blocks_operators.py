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


@pytest.mark.parametrize("training", [False, True], ids=["evaluation", "training"])
def test_operators_of_a_block(training):
    """Each of its small steps is one: more than five times the convolution's block, which docs/cost.md says."""
    counted = operators(StRABottleneck(256, 64), training)
    counted.calls.pop("aten.add_", None)  # the batch norms' counters, and the residual sum
    assert counted.waits == []
    assert counted.calls.total() <= 62, dict(counted.calls)
    assert operators(Bottleneck(256, 64), training).calls.total() < 16
