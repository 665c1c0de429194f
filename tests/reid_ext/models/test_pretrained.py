"""ImageNet weights: the key map of MobileNetV2, the report, and what happens without a network."""

import pytest
import torch
import torchvision
from torch import nn

import reid_ext
from plugins.errors import KpstraError
from reid_ext.host import torchreid
from reid_ext.models.networks import NonLocalResNet, StRAMobileNetV2, StRAResNet
from reid_ext.models.pretrained import from_torchvision_mobilenet, load_imagenet


def randomised(model):
    for m in model.modules():
        if isinstance(m, nn.BatchNorm2d):
            nn.init.uniform_(m.running_var, 0.5, 2)
            nn.init.normal_(m.running_mean, 0, 0.2)
    return model.eval()


@pytest.fixture
def resnet_file(tmp_path):
    path = tmp_path / "resnet50.pth"
    torch.save(torchvision.models.resnet50(weights=None).state_dict(), path)
    return path


def test_mapped_mobilenet_computes_what_torchvisions_does():
    theirs = randomised(torchvision.models.mobilenet_v2(weights=None))
    ours = torchreid.models.build_model("mobilenetv2_x1_0", 10, pretrained=False, use_gpu=False).eval()
    mapped = from_torchvision_mobilenet(theirs.state_dict())
    unmatched = [key for key in ours.state_dict() if key not in mapped and not key.startswith("classifier")]
    assert all(key.startswith("conv2.0.conv1.bn.num_batches") for key in unmatched)
    ours.load_state_dict(mapped, strict=False)
    x = torch.randn(2, 3, 64, 32)
    with torch.no_grad():
        torch.testing.assert_close(ours(x), theirs.features(x).mean((2, 3)), atol=1e-3, rtol=1e-3)


def test_last_stage_is_filled_as_the_authors_do_or_left_random(resnet_file):
    weights = torch.load(resnet_file)
    model = StRAResNet(10, "softmax")
    report = load_imagenet(model, "resnet50_stra", resnet_file)
    assert torch.equal(model.layer4[1].conv1.weight, weights["layer4.1.conv1.weight"])
    assert torch.equal(model.layer4[0].downsample[0].weight, weights["layer4.0.downsample.0.weight"])
    assert "layer4.0.conv2.local.value.weight" in report.kept and "fc.0.weight" in report.kept
    model = StRAResNet(10, "softmax")
    report = load_imagenet(model, "resnet50_stra", resnet_file, last_stage=False)
    assert not torch.equal(model.layer4[1].conv1.weight, weights["layer4.1.conv1.weight"])
    assert torch.equal(model.layer3[5].conv3.weight, weights["layer3.5.conv3.weight"])
    assert not [key for key in report.weights if key.startswith("layer4")]


def test_the_report_names_loaded_and_fresh_layers(resnet_file):
    summary = load_imagenet(StRAResNet(10, "softmax"), "resnet50_stra", resnet_file).summary()
    loaded, fresh = summary.splitlines()[0], summary.splitlines()[-1]
    assert loaded.startswith(f"{resnet_file}: 315 of") and "fc.0" in fresh and "classifier.weight" in fresh


def test_baselines_take_the_whole_last_stage(resnet_file):
    report = load_imagenet(NonLocalResNet(10, "softmax"), "resnet50_nonlocal", resnet_file, last_stage=False)
    assert "layer4.2.conv2.weight" in report.weights


def test_nonlocal_starts_as_the_network_without_it(resnet_file):
    model = NonLocalResNet(10, "softmax").eval()
    plain = torchreid.models.build_model("resnet50_fc512", 10, pretrained=False, use_gpu=False).eval()
    model.load_state_dict(plain.state_dict(), strict=False)
    x = torch.randn(2, 3, 64, 32)
    torch.testing.assert_close(model(x), plain(x))


def test_a_path_works_through_the_factory(resnet_file, capsys):
    reid_ext.register()
    torchreid.models.build_model("resnet50_stra", 10, pretrained=str(resnet_file), use_gpu=False)
    assert f"{resnet_file}: 315 of" in capsys.readouterr().out


def test_offline_says_what_to_do(monkeypatch):
    def refuse(*args, **kwargs):
        raise OSError("no network")

    monkeypatch.setattr(torch.hub, "load_state_dict_from_url", refuse)
    monkeypatch.setattr("torchvision.models._api.load_state_dict_from_url", refuse)
    with pytest.raises(KpstraError, match=r"cannot download .*resnet50.*Put that file into .*stra\.pretrained_path"):
        load_imagenet(StRAResNet(10, "softmax"), "resnet50_stra")


def test_names_of_another_mobilenet_are_refused():
    """As in widely used files with flat indices."""
    with pytest.raises(KpstraError, match=r"features\.1\.conv\.0\.weight: no name of torchvision's or torchreid's"):
        from_torchvision_mobilenet({"features.0.0.weight": torch.ones(1), "features.1.conv.0.weight": torch.ones(1)})


def test_the_wide_mobilenet_s_weights_are_named():
    with pytest.raises(KpstraError, match="cannot be downloaded by a program; torchreid links them"):
        load_imagenet(StRAMobileNetV2(10, "softmax", 1.4), "mobilenetv2_x1_4_stra")


def test_weights_of_another_network_are_refused(tmp_path):
    torch.save({"encoder.weight": torch.zeros(3)}, tmp_path / "other.pth")
    with pytest.raises(KpstraError, match="no tensor fits the model"):
        load_imagenet(StRAResNet(10, "softmax"), "resnet50_stra", tmp_path / "other.pth")
