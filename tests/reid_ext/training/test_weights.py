"""Weights of another model are refused where features come from them, and the model that fits is named."""

import pytest
import torch

import reid_ext
from plugins.errors import KpstraError
from reid_ext.host import torchreid
from reid_ext.models.fitting import models_that_fit
from reid_ext.training.weights import load_all_features, load_weights

reid_ext.register()


def build(name, people=3):
    return torchreid.models.build_model(name, people, pretrained=False, use_gpu=False)


@pytest.fixture
def few(monkeypatch):
    """A factory of four models: all of them take seconds to build."""
    factory = getattr(torchreid.models, "__model_factory")
    names = ("osnet_x0_25", "mobilenetv2_x1_0", "mobilenetv2_x1_0_ls1", "mobilenetv2_x1_0_stra")
    monkeypatch.setattr(torchreid.models, "__model_factory", {name: factory[name] for name in names})
    monkeypatch.setattr(reid_ext.models.factory, "register", lambda: None)


def test_the_models_that_fit(few):
    assert models_that_fit(build("osnet_x0_25").state_dict()) == ["osnet_x0_25"]
    assert models_that_fit(build("mobilenetv2_x1_0").state_dict()) == ["mobilenetv2_x1_0", "mobilenetv2_x1_0_ls1"]
    assert models_that_fit({"a": torch.zeros(1)}) == []


def test_another_models_weights(few, tmp_path):
    torch.save(build("mobilenetv2_x1_0_stra").state_dict(), tmp_path / "a")
    with pytest.raises(KpstraError, match=r"weights of another model: \d+ of the \d+ .* it fits mobilenetv2_x1_0_stra"):
        load_all_features(build("mobilenetv2_x1_0"), tmp_path / "a")
    assert load_weights(build("mobilenetv2_x1_0"), tmp_path / "a").kept
    report = load_all_features(build("mobilenetv2_x1_0_stra", people=5), tmp_path / "a")
    assert set(report.kept) == {"classifier.weight", "classifier.bias"}


def test_weights_of_which_a_part_would_be_left_out(tmp_path, monkeypatch):
    """resnet50_stra_local has the tensors of resnet50_stra but for the mode attention's."""
    factory = getattr(torchreid.models, "__model_factory")
    names = ("resnet50_stra", "resnet50_stra_local")
    monkeypatch.setattr(torchreid.models, "__model_factory", {name: factory[name] for name in names})
    monkeypatch.setattr(reid_ext.models.factory, "register", lambda: None)
    whole, part = build("resnet50_stra").state_dict(), build("resnet50_stra_local")
    torch.save(whole, tmp_path / "a")
    with pytest.raises(KpstraError, match=r"weights of another model: \d+ of them have no place .* fit resnet50_stra$"):
        load_all_features(part, tmp_path / "a")
    torch.save({**whole, "my_head.weight": torch.zeros(2)}, tmp_path / "b")  # a head of the user's own
    assert load_all_features(build("resnet50_stra"), tmp_path / "b").unknown == ["my_head.weight"]
