"""Injection into torchvision's, timm's and OpenGait's attentions."""

import copy
import io

import pytest
import timm
import torch
import torchvision
from attention_networks import JOINTS as L
from attention_networks import NETWORKS, randomise, swin

from plugins.errors import KpstraError
from plugins.kprpe import KeypointRPE, KPRPEConfig, KPRPEHandle, inject_kprpe

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
    *({"formulation": name} for name in ("multihead", "second_order", "nonlinear")),
    *(
        pytest.param(form, marks=pytest.mark.slow)
        for form in (
            *({"formulation": name} for name in ("relative", "absolute", "static")),
            {"formulation": "relative", "standardised": True},
            {"formulation": "second_order", "standardised": True, "keypoints": "constant"},
            {"formulation": "nonlinear", "standardised": True},
        )
    ),
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


def saved_and_loaded(network):
    torch.save(network, stream := io.BytesIO())
    stream.seek(0)
    return torch.load(stream, weights_only=False)


TWINS = {"deepcopy": copy.deepcopy, "ema": timm.utils.ModelEmaV3, "torch.load": saved_and_loaded}


@pytest.mark.parametrize(
    ("name", "twin"), [*((n, t) for n in NETWORKS for t in ("deepcopy", "torch.load")), ("timm vit", "ema")]
)
def test_copies_have_their_own_keypoints(name, twin):
    network, x, points = parts(name)
    handle = inject_kprpe(network.eval(), {"num_keypoints": L})
    randomise(handle)
    other = TWINS[twin](network)
    with torch.no_grad():
        with handle.set_keypoints(points):
            here = network(x)
            with pytest.raises(KpstraError, match=r"no keypoints set.*a copy .*, KPRPEHandle\(copy\)"):
                other(x)
        with KPRPEHandle(other).set_keypoints(points):
            assert torch.equal(other(x), here)


@pytest.mark.parametrize("twin", TWINS.values(), ids=TWINS)
def test_a_copys_handle_removes_kprpe_from_the_copy_alone(twin):
    network, x, points = parts("torchvision swin")
    network.eval()
    with torch.no_grad():
        before = network(x)
        handle = inject_kprpe(network, {"num_keypoints": L})
        randomise(handle)
        with handle.set_keypoints(points):
            here = network(x)
        other = twin(network)
        KPRPEHandle(other).remove()
        assert torch.equal(other(x), before)
        with handle.set_keypoints(points):
            assert torch.equal(network(x), here)
    with pytest.raises(KpstraError, match="no KP-RPE in it"):
        KPRPEHandle(other)


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


@pytest.mark.parametrize("formulation", ["multihead", "static", "none"])
@pytest.mark.parametrize("name", ["torchvision swin", "timm vit"])
def test_an_empty_batch_has_an_empty_output(name, formulation):
    network, x, points = parts(name)
    rotary = {"rotary": "body"} if formulation == "none" else {}
    handle = inject_kprpe(network.eval(), {"num_keypoints": L, "formulation": formulation, **rotary})
    handle.fit_pose(torch.rand(9, L, 2))
    with handle.set_keypoints(points[:0]):
        assert network(x[:0]).shape == (0, 6)
