"""Rotary positions inside networks: the attention that comes out, without a mask where there is no bias."""

import copy

import pytest
import timm
import torch
import torchvision
from torch import nn
from torch.utils.checkpoint import checkpoint

from plugins.errors import KpstraError
from plugins.kprpe import KPRPEHandle, inject_kprpe
from plugins.kprpe.attention.windows import attend_with_bias
from plugins.kprpe.position.rotary import Rotation, rotate

L = 4


def vit(**kwargs):
    return timm.models.VisionTransformer(32, 8, 3, 6, embed_dim=32, depth=2, num_heads=2, **kwargs)


def torch_vit():
    return torchvision.models.VisionTransformer(32, 8, 2, 2, 32, 48, num_classes=6)


def swin():
    return torchvision.models.SwinTransformer(
        [4, 4], 16, [2, 2], [2, 4], [4, 4], stochastic_depth_prob=0.0, num_classes=6
    )


def timm_swin():
    return timm.models.SwinTransformer(32, 2, 3, 6, embed_dim=16, depths=(2, 2), num_heads=(2, 4), window_size=4)


NETWORKS = {"timm vit": vit, "torchvision vit": torch_vit, "torchvision swin": swin, "timm swin": timm_swin}


def injected(name, **settings):
    torch.manual_seed(0)
    network = NETWORKS[name]()
    handle = inject_kprpe(network, {"num_keypoints": L, **settings})
    handle.fit_pose(torch.rand(50, L, 2))
    for p in network.parameters():
        nn.init.normal_(p, 0, 0.2)
    return network.double().eval(), handle, torch.randn(2, 3, 32, 32).double(), torch.rand(2, L, 2).double()


@pytest.mark.parametrize("formulation", ["none", "second_order"])
@pytest.mark.parametrize("name", NETWORKS)
def test_every_network_trains_and_follows_the_keypoints(name, formulation):
    network, handle, x, points = injected(name, formulation=formulation, rotary="body")
    with handle.set_keypoints(points):
        out = network(x)
    out.square().sum().backward()
    assert [n for n, p in network.named_parameters() if p.grad is None] == []
    with torch.no_grad(), handle.set_keypoints(points.flip(0)):
        assert (network(x) - out).abs().max() > 1e-6
    assert bool(list(handle.parameters())) == (formulation != "none")


@pytest.mark.parametrize("name", NETWORKS)
def test_a_constant_pose_computes_what_the_images_axes_do(name):
    network, handle, x, points = injected(name, formulation="none", rotary="body", keypoints="constant")
    image, other, _, _ = injected(name, formulation="none", rotary="image")
    image.load_state_dict(network.state_dict(), strict=False)
    with torch.no_grad(), handle.set_keypoints(points), other.set_keypoints(points):
        torch.testing.assert_close(network(x), image(x), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("name", ["timm vit", "torchvision vit"])
def test_without_a_bias_the_fused_attention_has_no_mask(name, monkeypatch):
    network, handle, x, points = injected(name, formulation="none", rotary="body")
    masks, fused = [], torch.nn.functional.scaled_dot_product_attention

    def noting(query, key, value, attn_mask=None, *args, **kwargs):
        masks.append(attn_mask)
        return fused(query, key, value, attn_mask, *args, **kwargs)

    monkeypatch.setattr(torch.nn.functional, "scaled_dot_product_attention", noting)
    with handle.set_keypoints(points):
        network(x)
    assert masks == [None, None]


@pytest.mark.parametrize("formulation", ["none", "multihead"])
def test_a_vits_attention_is_the_explicit_softmax(formulation):
    network, handle, _, points = injected("timm vit", formulation=formulation, rotary="body")
    attention, tokens = network.blocks[1].attn, torch.randn(2, 17, 32).double()
    q, k, v = attention.qkv(tokens).view(2, 17, 3, 2, 16).permute(2, 0, 3, 1, 4)
    by = attention.kprpe.rotation(points, None, 16)
    scores = rotate(q, by) @ rotate(k, by).transpose(-1, -2) * 16**-0.5
    if formulation != "none":
        scores = scores + attention.kprpe.bias(points, 0)
    expected = attention.proj((scores.softmax(-1) @ v).transpose(1, 2).flatten(2))
    with handle.set_keypoints(points):
        torch.testing.assert_close(attention(tokens), expected)


@pytest.mark.parametrize("shape", [(1, 1), (3, 1), (1, 2), (3, 2)], ids=str)
@pytest.mark.parametrize("with_bias", [False, True])
def test_windows_are_the_explicit_softmax(shape, with_bias):
    frames, places, n, rows = 3, 2, 5, 6
    qkv = torch.randn(frames * places, rows, 3 * 8).double()
    angles = torch.rand(*shape, 1, n, 2).double()
    by = Rotation(angles.cos(), angles.sin())
    bias = torch.randn(frames, places, 2, n, n).double() if with_bias else None
    got = attend_with_bias(qkv, 2, bias, rotation=by)[:, :n]
    q, k, v = qkv[:, :n].unflatten(2, (3, 2, -1)).permute(2, 0, 3, 1, 4)
    for window in range(frames * places):
        frame, place = window // places % shape[0], window % places % shape[1]
        one = Rotation(by.cos[frame, place], by.sin[frame, place])
        scores = rotate(q[window], one) @ rotate(k[window], one).transpose(1, 2) / 2
        scores = scores + bias[window // places, window % places] if with_bias else scores
        expected = (scores.softmax(-1) @ v[window]).transpose(0, 1).flatten(1)
        torch.testing.assert_close(got[window], expected)


@pytest.mark.slow
def test_recomputation_and_compilation_see_the_same_rotation():
    network, handle, x, points = injected("timm vit", formulation="none", rotary="body")
    parameters = list(network.parameters())

    def gradients(run):
        with handle.set_keypoints(points):
            return torch.autograd.grad(run(x).square().sum(), parameters)

    plain = gradients(network)
    again = gradients(lambda x: checkpoint(network, x, use_reentrant=False))
    torch.testing.assert_close(again, plain)
    torch.testing.assert_close(gradients(torch.compile(network, backend="aot_eager")), plain)


def test_the_rotation_is_computed_once_a_forward(monkeypatch):
    network, handle, x, points = injected("timm vit", formulation="none", rotary="body")
    made, kind = [], type(network.blocks[0].attn.kprpe)
    rotation = kind.rotation
    monkeypatch.setattr(kind, "rotation", lambda *given: made.append(1) or rotation(*given))
    for _ in range(2):
        with handle.set_keypoints(points):
            network(x)
    assert len(made) == 2


def test_attentions_that_keep_their_queries_to_themselves_are_refused():
    network = timm.create_model("beit_base_patch16_224", img_size=32, embed_dim=32, depth=1, num_heads=2)
    with pytest.raises(KpstraError, match="keeps its queries and keys to itself: rotary must be 'none'"):
        inject_kprpe(network, {"num_keypoints": L, "rotary": "body"})


def test_a_table_is_kept_where_rotation_is_all_there_is():
    """timm's Swin with ``mode="add"``: the rotation beside its own table, which still counts."""
    network = timm.create_model(
        "swin_tiny_patch4_window7_224", img_size=(64, 32), embed_dim=24, depths=(2,), num_heads=(3,), num_classes=0
    ).eval()
    images, points = torch.rand(2, 3, 64, 32), torch.rand(2, L, 2)
    handle = inject_kprpe(network, {"num_keypoints": L, "formulation": "none", "rotary": "body"}, mode="add")
    with torch.no_grad(), handle.set_keypoints(points):
        found = network(images)
        for attention in handle.attentions.values():
            attention.relative_position_bias_table.normal_()
        assert not torch.allclose(network(images), found, atol=1e-4)
        for attention in handle.attentions.values():
            attention.relative_position_bias_table.zero_()
        without = network(images)
    replaced = copy.deepcopy(network)
    for attention in KPRPEHandle(replaced).attentions.values():
        attention.kprpe_adds = False  # no table at all
    with torch.no_grad(), KPRPEHandle(replaced).set_keypoints(points):
        torch.testing.assert_close(replaced(images), without)
