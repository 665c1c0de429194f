"""What the device computes is read without waiting for it; and what waits is noticed by the tests' counter."""

import pytest
import torch
from torch import nn
from waits import Waits

from plugins.answer import Answer
from plugins.kprpe.keypoints import checked


def test_it_reads_what_was_asked():
    """Not what the tensor became since, and no gradients."""
    tensor = torch.tensor([[1.5, 2.0]], requires_grad=True)
    answer = Answer(tensor)
    tensor.data.zero_()
    assert answer.read() == [[1.5, 2.0]] == answer.read()
    assert Answer(torch.isfinite(torch.tensor(torch.inf))).read() is False


@pytest.mark.parametrize(
    "wait",
    [
        bool,
        lambda t: float(t.detach()),
        torch.Tensor.item,
        torch.Tensor.tolist,
        torch.Tensor.cpu,
        lambda t: t.detach().cpu().numpy(),
        lambda t: t.expand(2).nonzero(),
        lambda t: t.expand(2)[torch.ones(2) > 0],
        lambda t: torch.equal(t, t),
        torch.unique,
        lambda t: torch.zeros(()).copy_(t.detach()),
        lambda t: waits_in_backward(t),
    ],
)
def test_one_wait_is_counted(wait):
    tensor = torch.ones((), requires_grad=True)
    with Waits() as waits:
        wait(tensor)
    assert len(waits.found) == 1


def waits_in_backward(tensor):
    tensor.register_hook(lambda gradient: None if gradient.item() else gradient)
    (2 * tensor).backward()


def test_nothing_waits():
    """Ordinary steps, answers, the look at keypoints, and what is in the host's memory."""
    layer, points = nn.Linear(2, 2), torch.rand(1, 3, 2)
    optimiser = torch.optim.AdamW(layer.parameters())
    with Waits() as waits:
        with checked(points, None):
            loss = layer(points).square().mean()
        loss.backward()
        optimiser.step()
        assert Answer(loss).read() > 0
        assert waits.memory(torch.ones(2)).unique().tolist() == [1]
        assert waits.memory(torch.ones(2)).to("cpu", non_blocking=True).is_cuda
    assert waits.found == []


def test_copies_to_the_device_wait():
    """Unless they say otherwise."""
    with Waits() as waits:
        waits.memory(torch.ones(2)).cuda().sum()
    assert waits.found == ["copy to the device"]
