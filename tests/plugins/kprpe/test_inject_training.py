"""What a training run does to injected attentions: recomputation, compilation, autocast, several networks and ranks."""

import pytest
import torch
import torchvision
from attention_networks import JOINTS as L
from attention_networks import NETWORKS, randomise, swin
from ranks import run_ranks
from torch import nn
from torch.nn.parallel import DistributedDataParallel
from torch.utils.checkpoint import checkpoint

from plugins.errors import KpstraError
from plugins.kprpe import inject_kprpe


def parts(name):
    return NETWORKS[name].parts()


class Checkpointed(nn.Module):
    def __init__(self, network):
        super().__init__()
        self.network = network

    def forward(self, x):
        for stage in self.network.features:
            x = checkpoint(stage, x, use_reentrant=False)
        return x


@pytest.mark.parametrize("order", ["one after another", "interleaved"])
def test_recomputation_sees_its_own_forwards_keypoints(order):
    network, x, _ = parts("torchvision swin")
    handle = inject_kprpe(network, {"num_keypoints": L})
    randomise(handle)
    first, second = torch.rand(2, 2, L, 2)
    parameters = list(network.features.parameters())

    def loss(module, points):
        with handle.set_keypoints(points):
            return module(x).square().sum()

    plain = [torch.autograd.grad(loss(network.features, points), parameters) for points in (first, second)]
    wrapped = Checkpointed(network)
    if order == "interleaved":
        a, b = loss(wrapped, first), loss(wrapped, second)
        grads = [torch.autograd.grad(a, parameters), torch.autograd.grad(b, parameters)]
        total = torch.autograd.grad(loss(wrapped, first) + loss(wrapped, second), parameters)
        for t, p, q in zip(total, *plain, strict=True):
            torch.testing.assert_close(t, p + q, atol=1e-3, rtol=1e-3)
    else:
        grads = [torch.autograd.grad(loss(wrapped, points), parameters) for points in (first, second)]
    for got, expected in zip(grads, plain, strict=True):
        torch.testing.assert_close(got, expected, atol=1e-4, rtol=1e-4)
    with pytest.raises(KpstraError, match="no keypoints set"):
        network(x)  # nothing of a backward is left for a later forward


def test_in_place_changes_are_still_noticed():
    network, _, points = parts("torchvision swin")
    handle = inject_kprpe(network, {"num_keypoints": L})
    with handle.set_keypoints(points):
        weight = torch.randn(3, requires_grad=True)
        y = weight.exp()
        z = y * 2 + y.square()
    y.data, version = y.data, y._version
    with torch.no_grad():
        y.add_(1)
    assert y._version > version
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        z.sum().backward()


def test_outer_saved_tensor_hooks_still_apply():
    network, x, points = parts("torchvision swin")
    handle = inject_kprpe(network, {"num_keypoints": L})
    seen = []
    with torch.autograd.graph.saved_tensors_hooks(lambda t: seen.append(t) or t, lambda t: t):
        with handle.set_keypoints(points):
            loss = network(x).sum()
        count = len(seen)
    loss.backward()
    assert count > 10


def test_two_networks_interleaved():
    (one, x, p), (two, _, q) = parts("torchvision swin"), parts("torchvision swin")
    first, second = (inject_kprpe(network.eval(), {"num_keypoints": L}) for network in (one, two))
    randomise(first)
    randomise(second)
    with torch.no_grad():
        with first.set_keypoints(p):
            alone = one(x)
        with first.set_keypoints(p), second.set_keypoints(q):
            two(x)
            assert torch.equal(one(x), alone)


@pytest.mark.parametrize("name", [pytest.param("torchvision swin", marks=pytest.mark.slow), "timm vit"])
def test_compiled(name):
    network, x, points = parts(name)
    if name == "torchvision swin":  # one stage: a plain and a shifted block
        network = torchvision.models.SwinTransformer([4, 4], 8, [2], [2], [4, 4], stochastic_depth_prob=0.0)
    handle = inject_kprpe(network, {"num_keypoints": L})
    randomise(handle)
    compiled = torch.compile(network, backend="aot_eager")
    for p in (points, points.flip(0)):
        with handle.set_keypoints(p):
            expected = network(x)
            got = compiled(x)
            grads = [torch.autograd.grad(y.square().sum(), list(handle.parameters())) for y in (expected, got)]
        torch.testing.assert_close(got, expected, atol=1e-4, rtol=1e-4)
        torch.testing.assert_close(*grads, atol=1e-3, rtol=1e-3)


@pytest.mark.parametrize("name", NETWORKS)
def test_bfloat16_autocast_stays_close(name):
    network, x, points = parts(name)
    handle = inject_kprpe(network.eval(), {"num_keypoints": L})
    randomise(handle)
    with torch.no_grad(), handle.set_keypoints(points):
        exact = network(x)
        with torch.autocast("cpu", torch.bfloat16):
            half = network(x)
    torch.testing.assert_close(half.float(), exact, atol=0.05, rtol=0.1)


def test_parameters_survive_a_host_that_initialises_every_linear_layer():
    network, _, _ = parts("torchvision swin")
    handle = inject_kprpe(network, {"num_keypoints": L})
    for m in network.modules():
        if isinstance(m, (nn.Linear, nn.Conv2d)):
            nn.init.normal_(m.weight)
    assert not any(p.any() for p in handle.parameters())


def worker(rank, x, points, path):
    torch.manual_seed(0)
    network = swin()
    handle = inject_kprpe(network, {"num_keypoints": L})
    wrapped = DistributedDataParallel(network)  # raises in its second forward if a parameter had no gradient
    for _ in range(2):
        network.zero_grad()
        with handle.set_keypoints(points[rank::2]):
            wrapped(x[rank::2]).square().mean().backward()
    if rank == 0:
        torch.save([p.grad for p in handle.parameters()], path)


def test_distributed_gradients_equal_the_whole_batch(tmp_path):
    x, points = torch.randn(4, 3, 32, 32), torch.rand(4, L, 2)
    run_ranks(worker, x, points, tmp_path / "g.pt")
    torch.manual_seed(0)
    network = swin()
    handle = inject_kprpe(network, {"num_keypoints": L})
    with handle.set_keypoints(points):
        network(x).square().mean().backward()
    for a, b in zip(torch.load(tmp_path / "g.pt"), handle.parameters(), strict=True):
        torch.testing.assert_close(a, b.grad, atol=1e-6, rtol=1e-3)
