"""KP-RPE's ViT for faces: the authors' vectors, sizes and code, and weights that are not its own."""

from pathlib import Path

import cvlface
import pytest
import torch
from golden_vectors import golden
from torch import nn
from torch.nn import functional as F

from plugins.errors import KpstraError
from reid_ext.models.faces import FaceViT

PAGE = Path(__file__).parents[4] / "docs" / "faces.md"
SMALL = {"img_size": 112, "patch_size": 16, "embed_dim": 64, "depth": 2, "num_heads": 4, "mlp_ratio": 2}
PAPER = {"small": {}, "base": {"depth": 24, "num_heads": 16, "mlp_ratio": 3}}


@pytest.fixture(scope="module")
def vectors():
    return {name.removeprefix("vit."): value for name, value in golden("face_vit").items()}


@pytest.fixture(scope="module")
def weights(vectors):
    return {name.removeprefix("w."): value.float() for name, value in vectors.items() if name.startswith("w.")}


@pytest.fixture(scope="module")
def images(vectors):
    return (vectors["images"].float() / 255 - 0.5) / 0.5


def build(weights=None, **kprpe):
    network = FaceViT(**SMALL, feature_dim=48, kprpe=kprpe).eval()
    if weights is not None:
        network.load_reference(weights)
    return network


@pytest.fixture
def network(weights):
    return build(weights)


@pytest.mark.parametrize("prefix", ["", "net.", "module.net."])
def test_outputs_are_the_authors(vectors, weights, images, prefix):
    network = build({f"{prefix}{name}": value for name, value in weights.items()})
    with torch.no_grad():
        out = network(images, vectors["keypoints"])
        tokens = network.tokens(images, vectors["keypoints"])
    torch.testing.assert_close(out, vectors["out"], atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(F.normalize(out), vectors["embedding"], atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(tokens, vectors["tokens"], atol=1e-5, rtol=1e-5)


def test_tables_and_biases_are_the_authors(vectors, network):
    rpe = list(network.kprpe.attentions.values())[1].kprpe
    at = vectors["keypoints"][1:2]
    torch.testing.assert_close(rpe.index, vectors["bucket_ids"].long())
    bias = rpe.bias(rpe.factors(at), 0)[0]
    torch.testing.assert_close(bias, vectors["bias_block1_image1"], atol=1e-5, rtol=1e-5)
    of_table = vectors["table_block1_image1"].gather(2, vectors["bucket_ids"].long().expand(4, -1, -1))
    torch.testing.assert_close(bias, of_table, atol=1e-5, rtol=1e-5)


def test_gradients_are_the_authors(vectors, network, images):
    (F.normalize(network(images, vectors["keypoints"])) @ vectors["direction"]).sum().backward()
    tables = [attention.kprpe.table_weight.grad for attention in network.kprpe.attentions.values()]
    table = torch.cat([grad.flatten(0, 2).flatten(1) for grad in tables])  # (layer, head, bucket), (keypoint, xy)
    torch.testing.assert_close(table, vectors["grad_keypoint_linear_weight"], atol=1e-5, rtol=1e-4)
    qkv = network.trunk.blocks[0].attn.qkv.weight.grad[:8]
    torch.testing.assert_close(qkv, vectors["grad_qkv0_head"], atol=1e-5, rtol=1e-4)


def test_the_plain_network_is_the_authors(vectors, weights, images):
    plain = FaceViT(**SMALL, feature_dim=48).eval()
    with pytest.warns(UserWarning, match="keypoint_linear is left out"):
        plain.load_reference(weights)
    with torch.no_grad():
        torch.testing.assert_close(plain(images), vectors["out_without_kprpe"], atol=1e-5, rtol=1e-5)
        torch.testing.assert_close(plain(images, vectors["keypoints"]), plain(images))


@pytest.mark.parametrize(("size", "encoding", "count"), [
    ("small", {}, 95_952_384),
    ("small", {"kprpe": {}}, 96_004_128),
    ("small", {"irpe": True}, 96_065_280),
    pytest.param("base", {}, 114_869_760, marks=pytest.mark.slow),
    pytest.param("base", {"kprpe": {}}, 115_076_736, marks=pytest.mark.slow),
    pytest.param("base", {"irpe": True}, 114_982_656, marks=pytest.mark.slow),
])  # fmt: skip
def test_sizes_are_the_papers(size, encoding, count):
    with torch.device("meta"):
        network = FaceViT(**PAPER[size], **encoding)
    assert sum(parameter.numel() for parameter in network.parameters()) == count
    assert f"{count:,}" in PAGE.read_text(encoding="utf-8")


def test_it_is_the_authors_network(images, vectors):
    theirs = cvlface.vit_kprpe().VisionTransformerWithKPRPE(
        **SMALL, num_classes=48, mask_ratio=0.0, rpe_config=cvlface.Settings(cvlface.RPE)
    )
    nn.init.normal_(theirs.keypoint_linear.weight, std=0.3)
    trained_alike(build(theirs.state_dict()), theirs, images, vectors["keypoints"])


def test_irpe_is_the_authors_network(images):
    theirs = cvlface.vit_irpe().VisionTransformerWithiRPE(
        **SMALL, num_classes=48, mask_ratio=0.0, rpe_config=cvlface.Settings(cvlface.IRPE)
    )
    for block in theirs.blocks:
        for table in (block.attn.rpe_q, block.attn.rpe_k, block.attn.rpe_v):
            nn.init.normal_(table.lookup_table_weight, std=0.3)
    trained_alike(FaceViT(**SMALL, feature_dim=48, irpe=True), theirs, images)


def trained_alike(ours, theirs, images, *keypoints):
    """Both of their code's own random weights, in training: batch statistics and gradients."""
    for block in ours.train().trunk.blocks:
        block.drop_path1 = block.drop_path2 = nn.Identity()  # random
    ours.load_reference(theirs.train().state_dict())
    outs = [network(images, *keypoints) for network in (ours, theirs)]
    torch.testing.assert_close(*outs, atol=1e-4, rtol=1e-4)
    for out in outs:
        (out**3).sum().backward()
    grads = ours.trunk.patch_embed.proj.weight.grad, theirs.patch_embed.proj.weight.grad
    torch.testing.assert_close(*grads, atol=1e-4 * float(grads[1].abs().max()), rtol=1e-3)


def test_irpe_and_kprpe_exclude_each_other(weights):
    with pytest.raises(KpstraError, match="irpe and kprpe: choose one"):
        FaceViT(**SMALL, kprpe={}, irpe=True)
    with pytest.raises(KpstraError, match="weights of another network"), pytest.warns(UserWarning):
        FaceViT(**SMALL, feature_dim=48, irpe=True).load_reference(weights)


def test_undecayed_are_the_authors(network):
    """FACE.md's list, names as in their file; all else is decayed."""
    undecayed = {id(parameter) for parameter in network.undecayed()}
    names = {name: id(parameter) in undecayed for name, parameter in network.named_parameters()}
    outside = {name for name, there in names.items() if there and ".blocks." not in name}
    assert outside == {
        *("trunk.pos_embed", "trunk.patch_embed.proj.bias", "trunk.norm.weight", "trunk.norm.bias"),
        *(f"feature.{index}.{part}" for index in (1, 3) for part in ("weight", "bias")),
    }
    block = {name.removeprefix("trunk.blocks.0.") for name, there in names.items() if not there and "blocks.0." in name}
    linear = {"attn.qkv.weight", "attn.proj.weight", "mlp.fc1.weight", "mlp.fc2.weight"}
    assert block == linear | {"attn.kprpe.table_weight"}


@pytest.mark.parametrize("kprpe", [
    {"formulation": "second_order"},
    {"formulation": "nonlinear"},
    {"formulation": "multihead", "standardised": True},
    {"formulation": "none", "rotary": "body"},
])  # fmt: skip
def test_other_forms_see_landmarks(vectors, images, kprpe):
    network = build(**kprpe)
    network.kprpe.fit_pose(vectors["keypoints"][:2])
    for parameter in network.kprpe.parameters():
        nn.init.normal_(parameter, std=0.3)
    for index in (1, 3):
        network.feature[index].train()  # as random as the rest
    with torch.no_grad():
        out = network(images, vectors["keypoints"])
        assert not torch.allclose(network(images, vectors["keypoints"].roll(1, 0)), out, atol=1e-3)
        assert out.shape == (3, 48)


def test_second_order_takes_the_authors_layer(vectors, weights, images):
    with torch.no_grad():
        out = build(weights, formulation="second_order")(images, vectors["keypoints"])
    torch.testing.assert_close(out, vectors["out"], atol=1e-5, rtol=1e-5)


def test_scores_weight_landmarks(vectors, network, images):
    at = vectors["keypoints"]
    sure = torch.cat((at, torch.ones(3, 5, 1)), 2)
    absent, elsewhere = sure.clone(), sure.clone()
    absent[:, 3] = 0
    elsewhere[:, 3] = torch.tensor([0.7, 0.1, 0.0])
    with torch.no_grad():
        torch.testing.assert_close(network(images, sure), network(images, at), atol=1e-4, rtol=1e-4)
        torch.testing.assert_close(network(images, absent), network(images, elsewhere))
        assert not torch.allclose(network(images, absent), network(images, at), atol=1e-3)


def test_the_control_sees_the_mean_pose(vectors, images):
    network = build(keypoints="constant")
    network.kprpe.fit_pose(vectors["keypoints"])
    for parameter in network.kprpe.parameters():
        nn.init.normal_(parameter, std=0.3)
    with torch.no_grad():
        one = network.tokens(images, vectors["keypoints"])
        torch.testing.assert_close(network.tokens(images, vectors["keypoints"].flip(0)), one)


def test_grids_need_not_be_square():
    network = FaceViT((48, 32), 16, 16, 1, 2, 2, 8, {}).eval()
    assert network(torch.zeros(2, 3, 48, 32), torch.rand(2, 5, 2)).shape == (2, 8)


WRONG = {
    "another size": (lambda w: {**w, "pos_embed": w["pos_embed"][:, :9]}, "pos_embed"),
    "a missing tensor": (lambda w: {n: v for n, v in w.items() if n != "norm.weight"}, "norm.weight"),
    "an unknown tensor": (lambda w: {**w, "cls_token": torch.zeros(1)}, "cls_token"),
    "a plain network's": (lambda w: {n: v for n, v in w.items() if "keypoint" not in n}, "kprpe=None"),
    "fewer layers": (lambda w: {**w, "keypoint_linear.weight": w["keypoint_linear.weight"][:9]}, "expected 392"),
    "another model's": (lambda w: {"conv1.weight": torch.zeros(1), **{n: w[n] for n in w if "key" in n}}, "conv1"),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_weights_of_another_network_are_refused_in_one_line(weights, wrong):
    change, said = WRONG[wrong]
    with pytest.raises(KpstraError, match=said) as error:
        build(change(weights))
    assert "\n" not in str(error.value) and len(str(error.value)) < 300


@pytest.mark.parametrize(("arguments", "said"), [
    ({"img_size": 100, "patch_size": 8}, "100x100"),
    ({"embed_dim": 30, "num_heads": 4}, "num_heads"),
    ({"kprpe": {"formulation": "second order"}}, "second_order"),
    ({"kprpe": {"formulations": "multihead"}}, "formulation"),
    ({"kprpe": True}, "kprpe: True: expected a KPRPEConfig or a mapping"),
])  # fmt: skip
def test_wrong_settings_are_refused(arguments, said):
    with pytest.raises(KpstraError, match=said):
        FaceViT(**{**SMALL, "depth": 1, **arguments})


@pytest.mark.parametrize(("given", "keypoints", "said"), [
    ((1, 3, 112, 96), (1, 5, 2), "112, 112"),
    ((1, 3, 112, 112), None, r"keypoints: none"),
    ((1, 3, 112, 112), (1, 17, 2), "5, 2"),
    ((1, 3, 112, 112), (1, 5, 4), "5, 2"),
    ((2, 3, 112, 112), (1, 5, 2), "of 1 images"),
])  # fmt: skip
def test_wrong_inputs_are_refused(network, given, keypoints, said):
    with pytest.raises(KpstraError, match=said):
        network(torch.zeros(given), None if keypoints is None else torch.rand(keypoints))


def test_pixels_are_refused(network):
    with pytest.raises(KpstraError, match="pixels"):
        network(torch.zeros(1, 3, 112, 112), torch.full((1, 5, 2), 40.0))
