"""Weights of another model are refused where features come from them, and the model that fits is named."""

import pytest
import torch

import reid_ext
from plugins.errors import KpstraError
from reid_ext.__main__ import main
from reid_ext.extractor import FeatureExtractor
from reid_ext.host import torchreid
from reid_ext.models.fitting import models_that_fit
from reid_ext.models.options import network_settings
from reid_ext.training.checkpoints import save_checkpoint, training_state
from reid_ext.training.resume import resume
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


STRA = "mobilenetv2_x1_0_stra"
SOFTMAX = r"was begun with stra\.gate 'softmax', not 'sigmoid'; give the settings of the training"


def test_weights_that_were_trained_to_compute_something_else(tmp_path):
    """Their tensors are called alike and have the same shapes."""
    model, path = build(STRA), tmp_path / "a"
    save_checkpoint(
        training_state(model, None, None, 1, settings=network_settings(STRA, {}, {"gate": "softmax"})), path
    )
    with pytest.raises(KpstraError, match=rf"{path}: {SOFTMAX}"):
        load_all_features(model, path, network_settings(STRA))
    with pytest.raises(KpstraError, match=SOFTMAX):
        resume(path, model, settings=network_settings(STRA, stra={"gate": "sigmoid"}))
    named = r"begun with model\.name 'mobilenetv2_x1_0_stra', not 'other'; kprpe\.scale_bias False, not True"
    with pytest.raises(KpstraError, match=named):
        load_all_features(model, path, network_settings("other", {"scale_bias": True}, {"gate": "softmax"}))
    same = network_settings(STRA, {"scale_bias": False}, {"gate": "softmax", "ratio": 4})
    assert not load_all_features(model, path, same).kept and resume(path, model, settings=same) == 1
    assert not load_all_features(model, path).kept  # nobody knows what the model was built with
    save_checkpoint(training_state(model, None, None, 1), path)  # a file without the record, as torchreid's own
    assert not load_all_features(model, path, network_settings(STRA)).kept


def test_whatever_takes_features_compares_the_networks_settings(tmp_path, market_root, capsys):
    path = tmp_path / "a"
    settings = network_settings(STRA, stra={"gate": "softmax"})
    save_checkpoint(training_state(build(STRA), None, None, 1, settings=settings), path)
    with pytest.raises(KpstraError, match=SOFTMAX):
        FeatureExtractor(STRA, path, (64, 32), "cpu")
    FeatureExtractor(STRA, path, (64, 32), "cpu", stra={"gate": "softmax"})
    options = ["--model", STRA, "--weights", str(path), "--output", str(tmp_path / "out")]
    crops = str(market_root / "market1501" / "Market-1501-v15.09.15" / "query")
    for command in (["export", *options], ["pictures", *options, "--images", crops]):
        assert main(command) == 2
        assert f"{path}: was begun with stra.gate 'softmax', not 'sigmoid'" in capsys.readouterr().err
