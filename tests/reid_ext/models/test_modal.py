"""Transformers whose keypoints are modes: their start, what reaches the modes, the control, the engines, settings."""

import pytest
import torch
from reid_data import arguments
from replicas import in_threads
from torch import nn

import reid_ext
from plugins.errors import KpstraError
from plugins.modes import part_centres
from plugins.stra import StRAttention
from reid_ext.__main__ import main
from reid_ext.host import torchreid
from reid_ext.models import backbones
from reid_ext.models.backbones import features
from reid_ext.models.factory import MODAL, OURS, stra_keys
from reid_ext.models.options import building
from reid_ext.training.checkpoints import load_checkpoint
from reid_ext.training.export import export

reid_ext.register()
SIZE = (64, 32)
SMALL = {
    "vit_small_patch16": ("vit_tiny_patch16_224", {"depth": 2}),
    "swin_tiny": ("swin_tiny_patch4_window7_224", {"embed_dim": 24, "depths": (2, 1), "num_heads": (2, 4)}),
}


@pytest.fixture(params=SMALL)
def backbone(request, monkeypatch):
    """A backbone of few layers under the name of a real one."""
    monkeypatch.setitem(backbones.BACKBONES, request.param, SMALL[request.param])
    return request.param


def build(name, loss="softmax", groups=None, **kprpe):
    torch.manual_seed(0)
    with building(SIZE, kprpe, {} if groups is None else {"groups": groups}):
        return torchreid.models.build_model(name, 5, loss, pretrained=False, use_gpu=False).eval()


def randomise(model):
    """Give every table of KP-RPE, which begins at zero, values, and the modes peaks, so that they are sure."""
    chance = torch.Generator().manual_seed(1)
    for parameter in model.kprpe.parameters():
        nn.init.normal_(parameter, std=0.5, generator=chance)
    nn.init.normal_(model.modes.finder.mask[-2].weight, std=20.0, generator=chance)
    return model


IMAGES = torch.randn(4, 3, *SIZE, generator=torch.Generator().manual_seed(2))


def test_it_begins_as_the_plain_network(backbone):
    plain, model = build(backbone), build(f"{backbone}_modes")
    report = model.load_state_dict(plain.state_dict(), strict=False)
    assert not report.unexpected_keys
    assert {key.partition(".")[0] if ".kprpe." not in key else "kprpe" for key in report.missing_keys} == {
        "modes",
        "kprpe",
    }
    with torch.no_grad():
        torch.testing.assert_close(model(IMAGES), plain(IMAGES), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("confidence", [True, False])
def test_the_keypoints_are_the_centres_of_the_modes(backbone, confidence):
    """As a network that is given them; elsewhere the feature is another."""
    model = randomise(build(f"{backbone}_modes", groups=4, confidence=confidence))
    with torch.no_grad():
        logits = model.modes.finder.mask(model.modes.stem(IMAGES))
        assert logits.shape == (4, 4, SIZE[0] // 8, SIZE[1] // 8)
        points, scores, _ = part_centres(logits)
        for shift, same in ((0.0, True), (0.2, False)):
            with model.kprpe.set_keypoints(points + shift, scores if confidence else None):
                expected = model.bottleneck(features(model.backbone, IMAGES)[0])
            assert torch.allclose(model(IMAGES), expected, atol=1e-5) == same


@pytest.mark.parametrize("loss", ["softmax", "triplet"])
def test_losses_reach_the_modes(backbone, loss):
    """Through f(P), and through the diversity loss, which only the engines that ask for it see."""
    model = randomise(build(f"{backbone}_modes", loss)).train()
    outputs = model(IMAGES)
    logits = outputs if loss == "softmax" else outputs[0]
    logits.square().sum().backward()
    grads = [parameter.grad for parameter in model.modes.parameters()]
    assert all(torch.isfinite(grad).all() for grad in grads) and sum(grad.abs().sum() for grad in grads) > 0
    model.return_diversity = True
    *others, diversity = model(IMAGES)
    assert len(others) == (1 if loss == "softmax" else 2)
    assert diversity.shape == (4,) and (diversity >= 0).all() and (diversity <= 8).all()
    parts = model.modes(IMAGES)
    expected = [8 - sum(max(mask[g][i] for g in range(8)) for i in range(32)) for mask in parts.mask.detach()]
    torch.testing.assert_close(diversity.detach(), torch.stack(expected), atol=1e-4, rtol=1e-4)
    assert model.eval()(IMAGES).shape == (4, model.feature_dim)


def test_the_control_sees_the_mean_centres(backbone):
    model = randomise(build(f"{backbone}_modes", keypoints="constant"))
    assert model.wants_pose
    model.fit_modes(IMAGES)
    assert not model.wants_pose and not model.training
    (attention, *_) = model.kprpe.attentions.values()
    parts = model.modes.train()(IMAGES)
    weight = parts.confidence[..., None]
    expected = (parts.points * weight).sum(0) / weight.sum(0)
    torch.testing.assert_close(attention.kprpe.pose.mean, expected, atol=1e-5, rtol=1e-4)
    with torch.no_grad():
        before = model.eval()(IMAGES)
        nn.init.normal_(model.modes.finder.mask[0].weight)
        torch.testing.assert_close(model(IMAGES), before)


def test_replicas_in_threads_find_their_own_modes(backbone):
    """As DataParallel runs them; the diversity comes with each one's outputs."""
    model = randomise(build(f"{backbone}_modes")).train()
    model.return_diversity, batches = True, [IMAGES[:2], IMAGES[2:]]
    for norm in model.modules():
        if isinstance(norm, nn.BatchNorm1d | nn.BatchNorm2d):
            norm.eval()
    for drop in model.modules():
        if type(drop).__name__ == "DropPath":
            drop.eval()
    with torch.no_grad():
        expected = [model(images) for images in batches]
    for one, other in zip(in_threads(model, [(images,) for images in batches]), expected, strict=True):
        torch.testing.assert_close(one, other)


@pytest.mark.parametrize("keypoints", [pytest.param("given", marks=pytest.mark.slow), "constant"])
def test_a_run_trains_resumes_exactly_and_tests(market_root, tmp_path, monkeypatch, keypoints):
    """No keypoint file is asked for; the diversity loss is weighted as ``stra`` says."""
    monkeypatch.setitem(backbones.BACKBONES, "vit_small_patch16", SMALL["vit_small_patch16"])

    def command(folder, *more):
        options = ("model.name", "vit_small_patch16_modes", "stra.groups", "4", "stra.weight_d", "0.1")
        rest = ("kprpe.keypoints", keypoints, "train.batch_size", "43", *more)
        return main(arguments(market_root, tmp_path / folder, *options, *rest))

    assert command("whole", "train.max_epoch", "2") == 0
    assert command("parts", "train.max_epoch", "1") == 0
    first = str(tmp_path / "parts" / "model" / "model.pth.tar-1")
    assert command("parts", "train.max_epoch", "2", "model.resume", first) == 0
    whole, parts = (
        load_checkpoint(tmp_path / f / "model" / "model.pth.tar-2")["state_dict"] for f in ("whole", "parts")
    )
    assert [name for name, value in whole.items() if not torch.equal(value, parts[name])] == []
    assert whole["modes.finder.mask.0.weight"].shape[1] == 8 and any("pose.mean" in n for n in whole) == (
        keypoints == "constant"
    )


def test_settings_of_stra():
    assert {"vit_small_patch16_modes", "swin_tiny_modes"} <= set(MODAL) < set(OURS)
    assert stra_keys("swin_tiny_modes") == ("groups",)
    assert stra_keys("resnet50_stra") == ("groups", "kernel_size", "ratio", "gate")
    assert stra_keys("mobilenetv2_x1_0_stra_g16") == ("kernel_size", "ratio", "gate")
    assert stra_keys("resnet50_sasa") == ("groups", "kernel_size")
    assert stra_keys("resnet50_stra_local") == ("groups", "kernel_size", "ratio")
    assert stra_keys("resnet50_conv") == stra_keys("swin_tiny_kprpe") == stra_keys("resnet50") == ()
    given = {"groups": 4, "kernel_size": 5, "ratio": 2, "gate": "softmax"}
    with building(SIZE, stra=given), torch.device("meta"):
        model = torchreid.models.build_model("mobilenetv2_x1_0_stra", 2, pretrained=False)
    found = next(module for module in model.modules() if isinstance(module, StRAttention))
    assert found.mode.groups == 4 and found.mode.gate == "softmax" and found.local.kernel_size == 5


@pytest.mark.parametrize(
    ("name", "given", "said"),
    [
        ("resnet50_stra", {"groups": 7}, r"stra\.groups: .*7"),
        ("resnet50_stra", {"kernel_size": 4}, r"stra\.kernel_size: .*4"),
        ("swin_tiny_modes", {"gate": "softmax"}, r"stra\.gate: has no effect on swin_tiny_modes, which knows groups"),
        ("mobilenetv2_x1_0_stra_g16", {"groups": 4}, r"stra\.groups: has no effect on mobilenetv2_x1_0_stra_g16"),
        ("resnet50_conv", {"groups": 4}, r"stra\.groups: has no effect on resnet50_conv, which has no modes"),
    ],
)
def test_settings_that_cannot_be_right(name, given, said):
    with pytest.raises(KpstraError, match=said), building(SIZE, stra=given), torch.device("meta"):
        torchreid.models.build_model(name, 2, pretrained=False)


@pytest.mark.parametrize(
    ("kprpe", "said"),
    [
        ({"standardised": True}, r"kprpe\.standardised: True: rests on the mean pose"),
        ({"rotary": "body"}, r"kprpe\.rotary: 'body'"),
        ({"sigma": 1}, r"kprpe\.sigma: has no effect"),
    ],
)
def test_forms_that_modes_do_not_take(kprpe, said):
    with pytest.raises(KpstraError, match=said):
        build("vit_tiny_patch16_modes", **kprpe)


@pytest.mark.slow
def test_it_is_exported_with_images_alone(tmp_path, monkeypatch):
    monkeypatch.setitem(backbones.BACKBONES, "vit_tiny_patch16", ("vit_tiny_patch16_224", {"depth": 1}))
    torch.save(randomise(build("vit_tiny_patch16_modes", groups=4)).state_dict(), tmp_path / "weights.pt")
    given = ("vit_tiny_patch16_modes", tmp_path / "weights.pt", tmp_path / "modes.onnx", *SIZE)
    assert export(*given, stra={"groups": 4}) < 1e-4
    with pytest.raises(KpstraError, match="weights of another model"):
        export(*given)
