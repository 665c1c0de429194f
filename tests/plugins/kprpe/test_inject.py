"""Injection into torchvision's, timm's and OpenGait's attentions, and what a training run does to it."""

import copy
import pickle

import pytest
import timm
import torch
import torch.distributed as dist
import torchvision
from attention_networks import JOINTS as L
from attention_networks import NETWORKS, randomise, swin
from ranks import run_ranks
from torch import nn
from torch.nn.parallel import DistributedDataParallel
from torch.utils.checkpoint import checkpoint

from plugins.errors import KpstraError
from plugins.kprpe import KeypointRPE, KPRPEConfig, KPRPEHandle, inject_kprpe
from plugins.kprpe.adapters import KeypointAttention

ADDABLE = [name for name in NETWORKS if name != "timm vit_relpos"]  # its attention has no room for a second bias
TABLES = ("relative_position_bias_table", "cpb_mlp", "rel_pos.")


def parts(name):
    return NETWORKS[name].parts()


@pytest.mark.parametrize("grid", ["window", "image"])
@pytest.mark.parametrize("name", ADDABLE)
def test_add_starts_as_the_network_and_follows_the_keypoints(name, grid):
    network, x, points = parts(name)
    network, x = network.double().eval(), x.double()  # a small network: small differences
    with torch.no_grad():
        before = network(x)
        handle = inject_kprpe(network, {"num_keypoints": L}, mode="add", grid=grid)
        with handle.set_keypoints(points):
            torch.testing.assert_close(network(x), before)
        randomise(handle)
        moved = points.clone()
        moved[..., 2, :] += 0.3
        with handle.set_keypoints(points):
            here = network(x)
        with handle.set_keypoints(moved):
            assert (network(x) - here).abs().max() > 1e-8


FORMS = [
    *({"formulation": name} for name in ("multihead", "relative", "absolute", "static", "second_order", "nonlinear")),
    {"formulation": "relative", "standardised": True},
    {"formulation": "second_order", "standardised": True, "keypoints": "constant"},
    {"formulation": "nonlinear", "standardised": True},
]


@pytest.mark.parametrize("form", FORMS, ids=lambda form: "-".join(map(str, form.values())))
@pytest.mark.parametrize("name", NETWORKS)
def test_replace_trains_every_parameter_once(name, form):
    network, x, points = parts(name)
    names = set(network.state_dict())
    handle = inject_kprpe(network, KPRPEConfig(L, **form))
    handle.fit_pose(torch.rand(9, L, 2))
    tables = {n for n in names if any(table in n for table in TABLES)}
    assert names - tables <= set(network.state_dict()) and not tables & set(network.state_dict())
    randomise(handle)
    with handle.set_keypoints(points):
        network(x).square().sum().backward()
    assert [n for n, p in network.named_parameters() if p.grad is None] == []
    tables = {id(at.kprpe.table_weight) for at in handle.attentions.values()}
    assert len(tables) == (1 if form["formulation"] in ("relative", "absolute") else len(handle.layers))
    hidden = {id(p) for n, p in network.named_parameters(remove_duplicate=False) if n.endswith("hidden_weight")}
    assert len(hidden) == (form["formulation"] == "nonlinear")  # for all attentions


@pytest.mark.parametrize(("name", "mode"), [*((n, "replace") for n in NETWORKS), *((n, "add") for n in ADDABLE)])
def test_remove_restores_the_network(name, mode):
    network, x, points = parts(name)
    network.eval()
    state, classes = copy.deepcopy(network.state_dict()), [type(m) for m in network.modules()]
    with torch.no_grad():
        before = network(x)
        handle = inject_kprpe(network, {"num_keypoints": L}, mode=mode)
        randomise(handle)
        with handle.set_keypoints(points):
            network(x)
        handle.remove()
        assert torch.equal(network(x), before)
    assert [type(m) for m in network.modules()] == classes
    assert set(network.state_dict()) == set(state)


@pytest.mark.parametrize("twin", [copy.deepcopy, lambda n: pickle.loads(pickle.dumps(n))])
@pytest.mark.parametrize("name", NETWORKS)
def test_copies_have_their_own_keypoints(name, twin):
    network, x, points = parts(name)
    handle = inject_kprpe(network.eval(), {"num_keypoints": L})
    randomise(handle)
    other = twin(network)
    with torch.no_grad():
        with handle.set_keypoints(points):
            here = network(x)
            with pytest.raises(KpstraError, match="no keypoints set"):
                other(x)
        with KPRPEHandle(other).set_keypoints(points):
            assert torch.equal(other(x), here)


def test_the_window_bias_reaches_the_attention_as_swin_computes_it():
    """torchvision's own function, called with the bias of the paper, is what the injected network computes."""
    from torchvision.models.swin_transformer import shifted_window_attention

    network, _, points = parts("torchvision swin")
    handle = inject_kprpe(network.eval(), {"num_keypoints": L}, grid="image")
    randomise(handle)
    attention = next(iter(handle.attentions.values()))
    tokens = torch.randn(2, 10, 8, 16)
    from plugins.kprpe import WindowedKeypointRPE

    alone = WindowedKeypointRPE(L, (10, 8), (4, 4), 2, [(0, 0)], grid="image")
    alone.load_state_dict(attention.kprpe.state_dict())
    expected = shifted_window_attention(
        tokens,
        attention.qkv.weight,
        attention.proj.weight,
        alone.bias(points, 0),
        [4, 4],
        2,
        [0, 0],
        qkv_bias=attention.qkv.bias,
        proj_bias=attention.proj.bias,
    )
    with handle.set_keypoints(points):
        torch.testing.assert_close(attention(tokens), expected)


def test_vit_bias_equals_the_module_alone():
    network, _, points = parts("timm vit")
    handle = inject_kprpe(network.eval(), {"num_keypoints": L})
    randomise(handle)
    attention = network.blocks[1].attn
    tokens = torch.randn(2, 17, 32)
    alone = KeypointRPE(L, (4, 4), 2, 1, prefix_tokens=1)
    alone.load_state_dict(attention.kprpe.state_dict())
    q, k, v = attention.qkv(tokens).view(2, 17, 3, 2, 16).permute(2, 0, 3, 1, 4)
    weights = (q @ k.transpose(-1, -2) * 16**-0.5 + alone.bias(points, 0)).softmax(-1)
    expected = attention.proj((weights @ v).transpose(1, 2).flatten(2))
    with handle.set_keypoints(points):
        torch.testing.assert_close(attention(tokens), expected)


def test_what_was_injected_is_listed():
    handle = inject_kprpe(swin(), {"num_keypoints": L})
    assert [(at.heads, at.window, at.shift) for at in handle.layers] == [
        (2, (4, 4), (0, 0, 0)),
        (2, (4, 4), (0, 2, 2)),
        (4, (4, 4), (0, 0, 0)),
        (4, (4, 4), (0, 2, 2)),
    ]
    assert "features.1.0.attn: 2 heads, window (4, 4)" in str(handle)


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


@pytest.mark.parametrize("name", ["torchvision swin", "timm vit"])
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


def test_load_reference_fills_all_layers_in_order():
    network, _, _ = parts("torchvision swin")
    handle = inject_kprpe(network, {"num_keypoints": L})
    outputs = (2 + 2 + 4 + 4) * 49
    weight, bias = torch.randn(outputs, 2 * L), torch.randn(outputs)
    handle.load_reference(weight, bias)
    third = list(handle.attentions.values())[2].kprpe
    assert torch.equal(third.table_bias.flatten(), bias[4 * 49 : 8 * 49])
    with pytest.raises(KpstraError, match="expected 588"):
        handle.load_reference(weight[:-1], bias[:-1])


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


def test_mistakes_are_named():
    with pytest.raises(KpstraError, match=r"no attention that KP-RPE fits in ResNet; seen: .*Conv2d.*Known are"):
        inject_kprpe(torchvision.models.resnet18(weights=None), {"num_keypoints": L})
    with pytest.raises(KpstraError, match=r"kprpe\.gird: 'image': unknown key \(did you mean 'grid'"):
        inject_kprpe(swin(), {"num_keypoints": L, "gird": "image"})
    with pytest.raises(KpstraError, match=r"kprpe\.grid: 'windw' is not one of window, image"):
        inject_kprpe(swin(), {"num_keypoints": L, "grid": "windw"})
    with pytest.raises(KpstraError, match=r"kprpe\.num_keypoints: missing"):
        inject_kprpe(swin(), {})
    network, x, _ = parts("torchvision swin")
    handle = inject_kprpe(network, {"num_keypoints": L})
    with pytest.raises(KpstraError, match="no keypoints set"):
        network(x)
    with (
        pytest.raises(KpstraError, match="keypoints of 3 images, but features of 2"),
        handle.set_keypoints(torch.rand(3, L, 2)),
    ):
        network(x)
    with pytest.raises(KpstraError, match="already"):
        inject_kprpe(network, {"num_keypoints": L})
    assert all(isinstance(m, KeypointAttention) for m in handle.attentions.values())
    handle.remove()
    with pytest.raises(KpstraError, match="KP-RPE was removed from the network"):
        handle.set_keypoints(torch.rand(2, L, 2))


def test_wrapped_networks_are_refused(tmp_path):
    dist.init_process_group("gloo", init_method=f"file://{tmp_path / 'store'}", rank=0, world_size=1)
    try:
        wrapped = DistributedDataParallel(swin())
    finally:
        dist.destroy_process_group()
    sharded = type("FullyShardedDataParallel", (nn.Sequential,), {})(swin())
    for network, name in ((wrapped, "DistributedDataParallel"), (sharded, "FullyShardedDataParallel")):
        with pytest.raises(KpstraError, match=f"{name}: inject into the network before it is wrapped"):
            inject_kprpe(network, {"num_keypoints": L})


@pytest.mark.slow
@pytest.mark.parametrize(
    "build",
    [
        lambda: torchvision.models.swin_t(weights=None),
        lambda: timm.create_model("swin_tiny_patch4_window7_224", num_classes=10),
        lambda: timm.create_model("vit_small_patch16_224", num_classes=10),
    ],
)
def test_published_networks(build):
    network, x, points = build().eval(), torch.randn(1, 3, 224, 224), torch.rand(1, L, 2)
    with torch.no_grad():
        before = network(x)
    handle = inject_kprpe(network, {"num_keypoints": L}, mode="add")
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1)
    with handle.set_keypoints(points):
        after = network(x)
        torch.testing.assert_close(after, before)
        after.square().sum().backward()
        optimizer.step()
        assert any(p.any() for p in handle.parameters())
