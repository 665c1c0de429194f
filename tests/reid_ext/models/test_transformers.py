"""Transformers with keypoints: their start as the plain network, what steers them, the head, settings, devices."""

import copy

import pytest
import torch
from replicas import in_threads
from torch import nn

import reid_ext
from plugins.errors import KpstraError
from reid_ext.host import torchreid
from reid_ext.models import backbones
from reid_ext.models.factory import OURS, with_joints
from reid_ext.models.options import building
from reid_ext.models.transformers import KINDS, TRANSFORMERS
from reid_ext.training.partners import check_partner

reid_ext.register()
SIZE = (64, 32)
TAKING = [kind for kind in KINDS if kind not in ("", "_static")]
SMALL = {
    "vit_small_patch16": ("vit_tiny_patch16_224", {"depth": 2}),
    "swin_tiny": ("swin_tiny_patch4_window7_224", {"embed_dim": 24, "depths": (2, 1), "num_heads": (2, 4)}),
}


@pytest.fixture(params=SMALL)
def backbone(request, monkeypatch):
    """A backbone of few layers under the name of a real one; Swin's second stage has windows with padding."""
    monkeypatch.setitem(backbones.BACKBONES, request.param, SMALL[request.param])
    return request.param


def build(name, size=SIZE, loss="softmax", **kprpe):
    torch.manual_seed(0)
    with building(size, kprpe):
        return torchreid.models.build_model(name, 5, loss, pretrained=False, use_gpu=False).eval()


def batch(number=3, size=SIZE, seed=0):
    chance = torch.Generator().manual_seed(seed)
    keypoints = torch.rand(number, 17, 3, generator=chance) * torch.tensor([size[1], size[0], 1.0])
    return torch.randn(number, 3, *size, generator=chance), keypoints


def randomise(model):
    """Give every parameter that begins at zero a value."""
    chance = torch.Generator().manual_seed(1)
    for parameter in model.parameters():
        if not parameter.any():
            nn.init.normal_(parameter, std=0.5, generator=chance)
    return model


@pytest.mark.parametrize("kind", [kind for kind in TAKING if kind != "_drawn"] + ["_static"])
def test_it_begins_as_the_plain_network(backbone, kind):
    """With zero tables, maps or projections, for any keypoints; all weights but those are the plain network's."""
    plain, model = build(backbone), build(f"{backbone}{kind}")
    report = model.load_state_dict(plain.state_dict(), strict=False)
    own = {"_heatmaps": "maps_weight", "_pooled": "pooling.project"}.get(kind, ".kprpe.")
    assert report.missing_keys and all(own in name for name in report.missing_keys) and not report.unexpected_keys
    images, keypoints = batch()
    with torch.no_grad():
        torch.testing.assert_close(model(images, keypoints), plain(images), atol=1e-5, rtol=1e-5)


@pytest.mark.slow
def test_the_real_swin_begins_as_the_plain_network_at_its_own_size():
    """swin_tiny at 256x128: its maps are no multiples of its windows."""
    plain, model = build("swin_tiny", backbones.SIZE), build("swin_tiny_kprpe", backbones.SIZE)
    model.load_state_dict(plain.state_dict(), strict=False)
    images, keypoints = batch(1, backbones.SIZE)
    with torch.no_grad():
        torch.testing.assert_close(model(images, keypoints), plain(images), atol=1e-5, rtol=1e-5)
        randomise(model)
        assert not torch.allclose(model(images, keypoints), plain(images), atol=1e-2)
        assert not torch.allclose(model(images, keypoints), model(images, batch(1, backbones.SIZE, 1)[1]), atol=1e-4)


@pytest.mark.parametrize("kind", [*TAKING, "_static"])
def test_joints_steer_it_where_they_are_there(backbone, kind):
    """The static control sees none; an absent joint may be anywhere; scores count."""
    model = randomise(build(f"{backbone}{kind}"))
    images, keypoints = batch()
    moved, absent, elsewhere, unsure = (keypoints.clone() for _ in range(4))
    moved[:, ::2, 1] += 9
    absent[:, 7] = 0
    elsewhere[:, 7] = torch.tensor([20.0, 3.0, 0.0])
    unsure[:, ::2, 2] *= 0.3
    with torch.no_grad():
        found = {name: model(images, at) for name, at in locals().items() if name in ("keypoints", "moved", "unsure")}
        torch.testing.assert_close(model(images, absent), model(images, elsewhere))
    same = [torch.allclose(found["keypoints"], found[name], atol=1e-5) for name in ("moved", "unsure")]
    assert same == [kind == "_static"] * 2


@pytest.mark.parametrize("kind", ["_kprpe", "_heatmaps", "_pooled", "_drawn"])
def test_the_control_sees_the_mean_pose(backbone, kind):
    model = randomise(build(f"{backbone}{kind}", keypoints="constant"))
    (images, keypoints), (_, other) = batch(), batch(seed=2)
    assert model.wants_pose
    model.fit_pose(*pose(keypoints))
    assert not model.wants_pose
    with torch.no_grad():
        one = model(images, keypoints)
        torch.testing.assert_close(model(images, other), one)
        model.fit_pose(*pose(other))
        assert not torch.allclose(model(images, other), one, atol=1e-5)
    again = build(f"{backbone}{kind}", keypoints="constant")
    again.load_state_dict(model.state_dict())
    with torch.no_grad():
        torch.testing.assert_close(again(images, keypoints), model(images, keypoints))


def pose(keypoints):
    return (keypoints[..., :2] + 0.5) / torch.tensor([SIZE[1], SIZE[0]]), keypoints[..., 2]


@pytest.mark.parametrize("loss", ["softmax", "triplet"])
def test_the_head_is_a_bnneck(backbone, loss):
    """The classifier sees the normalised feature, the triplet loss the one before; neither has a shift."""
    model = build(f"{backbone}_kprpe", loss=loss)
    before = []
    model.bottleneck.register_forward_pre_hook(lambda _, args: before.append(args[0]))
    images, keypoints = batch(4)
    outputs = model.train()(images, keypoints)
    logits = outputs if loss == "softmax" else outputs[0]
    feature = before[0]
    normalised = (feature - feature.mean(0)) / (feature.var(0, unbiased=False) + 1e-5).sqrt()
    torch.testing.assert_close(logits, normalised @ model.classifier.weight.T, atol=1e-5, rtol=1e-4)
    if loss == "triplet":
        assert outputs[1] is feature
    assert model.classifier.bias is None and model.bottleneck.bias is None
    sum(output.square().sum() for output in (outputs if loss == "triplet" else (outputs,))).backward()
    assert [n for n, p in model.named_parameters() if p.grad is None or not torch.isfinite(p.grad).all()] == []
    assert model.eval()(images, keypoints).shape == (4, model.feature_dim)
    with pytest.raises(KpstraError, match="softmax"):
        check_partner(build(backbone, loss="triplet"), "softmax", 5, "SoftmaxEngine")


@pytest.mark.parametrize(
    "kprpe",
    [
        {"formulation": "nonlinear", "standardised": True},
        {"formulation": "second_order"},
        {"formulation": "none", "rotary": "body"},
        {"mode": "replace"},
        {"confidence": False},
    ],
    ids=lambda kprpe: "-".join(map(str, kprpe.values())),
)
def test_settings_reach_the_attention(backbone, kprpe):
    model = build(f"{backbone}_kprpe", **kprpe)
    attention = next(iter(model.kprpe.attentions.values()))
    for key, value in kprpe.items():
        if key in ("formulation", "rotary", "standardised"):
            assert getattr(attention.kprpe, key) == value
    images, keypoints = batch()
    if model.wants_pose:
        model.fit_pose(*pose(keypoints))
    assert model.uses_confidence == kprpe.get("confidence", True)
    assert torch.isfinite(model(images, keypoints)).all()


def test_absent_joints_steer_nothing_where_scores_do_not_count(backbone):
    """They stand at (0, 0), which is a corner of the image for the others."""
    model = randomise(build(f"{backbone}_kprpe", confidence=False))
    images, keypoints = batch()
    keypoints[..., 2] = keypoints[..., 2].clamp(min=0.1)
    keypoints[:, 9] = 0
    elsewhere, seen, unsure = keypoints.clone(), keypoints.clone(), keypoints.clone()
    elsewhere[:, 9, :2] = torch.tensor([20.0, 30.0])
    seen[:, 9, 2] = 1
    unsure[:, :9, 2] = 0.1
    with torch.no_grad():
        outputs = [model(images, joints) for joints in (keypoints, elsewhere, unsure, seen)]
    torch.testing.assert_close(outputs[0], outputs[1])
    torch.testing.assert_close(outputs[0], outputs[2])
    assert (outputs[0] - outputs[3]).abs().max() > 1e-4


def test_settings_that_cannot_be_right():
    for kprpe, said in (
        ({"formulation": "linear"}, r"kprpe\.formulation: 'linear' is not one of"),
        ({"sigma": 3}, r"kprpe\.sigma: has no effect on this model, which knows formulation, "),
    ):
        with pytest.raises(KpstraError, match=said):
            build("vit_tiny_patch16_kprpe", **kprpe)
    with pytest.raises(KpstraError, match=r"kprpe\.formulation: has no effect"):
        build("vit_tiny_patch16_static", formulation="nonlinear")
    with pytest.raises(KpstraError, match=r"kprpe\.mode: has no effect on this model, which knows keypoints"):
        build("vit_tiny_patch16_drawn", mode="add")
    with pytest.warns(UserWarning, match=r"kprpe\.grid: has no effect on this model, whose attention has no windows"):
        build("vit_tiny_patch16_kprpe", grid="image")
    with pytest.raises(KpstraError, match=r"images of 250x128: it takes multiples of 16 pixels"):
        build("vit_tiny_patch16", (250, 128))


def test_inputs_that_cannot_be_right(backbone):
    model = build(f"{backbone}_kprpe")
    images, keypoints = batch()
    for wrong, said in (
        ((images, keypoints[:2]), r"keypoints \(2, 17, 3\): expected \(3, 17, 3\)"),
        ((images, keypoints * 100), r"keypoints of image 0 reach"),
        ((images[..., :16, :], keypoints), r"images of 16x32, but the network was built for 64x32"),
    ):
        with pytest.raises(KpstraError, match=said):
            model(*wrong)


def test_other_sizes(backbone):
    model = build(f"{backbone}_kprpe", (96, 32))
    assert model(*batch(2, (96, 32))).shape == (2, model.feature_dim)


def test_half_precision(backbone):
    model = randomise(build(f"{backbone}_kprpe"))
    images, keypoints = batch(4)
    whole = model(images, keypoints)
    with torch.autocast("cpu", torch.bfloat16):
        half = model.train()(images, keypoints)
    half.float().sum().backward()
    assert half.dtype == torch.bfloat16
    with torch.autocast("cpu", torch.bfloat16):
        half = model.eval()(images, keypoints).float()
    assert torch.nn.functional.cosine_similarity(half, whole).min() > 0.9


@pytest.mark.parametrize("kind", TAKING)
def test_replicas_in_threads_see_their_own_joints(backbone, kind):
    """As DataParallel runs them: copies that share what is no parameter, each in a thread."""
    model = randomise(build(f"{backbone}{kind}"))
    inputs = [batch(2, seed=seed) for seed in range(4)]
    with torch.no_grad():
        expected = [model(*given) for given in inputs]
    for one, other in zip(in_threads(model, inputs), expected, strict=True):
        torch.testing.assert_close(one, other)


def test_a_copy_and_a_pickle_compute_the_same(backbone):
    model = randomise(build(f"{backbone}_kprpe"))
    given = batch()
    with torch.no_grad():
        torch.testing.assert_close(copy.deepcopy(model)(*given), model(*given))


def test_names():
    assert {"vit_small_patch16_kprpe", "vit_base_patch16_static", "swin_small", "swin_tiny_pooled"} <= set(TRANSFORMERS)
    assert set(TRANSFORMERS) < set(OURS)
    assert [with_joints(name) for name in ("swin_tiny", "swin_tiny_static", "resnet50_stra")] == [False, True, False]
