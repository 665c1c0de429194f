"""Margin heads in torchreid's engines: one step by hand, with the diversity loss, in a run that resumes; mistakes."""

from types import SimpleNamespace

import keypoint_network
import pytest
import torch
from keypoint_network import NAME
from reid_data import arguments
from torch import nn
from torch.nn import functional as F

from plugins.errors import KpstraError
from reid_ext.__main__ import main
from reid_ext.host import torchreid
from reid_ext.models.networks import DiversityOutputs
from reid_ext.settings.load import load_config
from reid_ext.training.checkpoints import save_checkpoint, training_state
from reid_ext.training.engines import ENGINES, MarginEngine, SoftmaxEngine, StRAMarginEngine
from reid_ext.training.margins import MARGINS, give_margin
from reid_ext.training.resume import resume

keypoint_network.register()
DATA = SimpleNamespace(train_loader=[], test_loader={}, num_train_pids=4, sources=[])
BATCH = {"img": torch.rand(6, 3, 16, 8), "pid": torch.tensor([0, 1, 2, 3, 0, 1]), "impath": list("abcdef")}


class Tiny(nn.Module):
    """Features of the mean colour."""

    def __init__(self, loss="softmax", people=4):
        super().__init__()
        self.loss, self.features, self.classifier = loss, nn.Linear(3, 8), nn.Linear(8, people)

    def forward(self, images):
        v = self.features(images.mean((2, 3)))
        return self.classifier(v) if self.training else v


class TinyDiverse(DiversityOutputs, Tiny):
    """With a diversity that the weights decide."""

    def forward(self, images):
        outputs = Tiny.forward(self, images)
        return (outputs, self.features(images.mean((2, 3))).square().sum(1)) if self.return_diversity else outputs


def build(kind=Tiny, name="adaface", **settings):
    torch.manual_seed(1)
    model = kind().train()
    give_margin(model, name, **settings)
    return model


def engine_of(kind, model, **more):
    optimizer = torchreid.optim.build_optimizer(model, optim="sgd", lr=0.1)
    return kind(DATA, model, optimizer=optimizer, use_gpu=False, **more)


@pytest.mark.parametrize("name", MARGINS)
@pytest.mark.parametrize("wrapped", [False, True])
def test_a_step_is_that_of_the_margin_s_cross_entropy(name, wrapped):
    model, again = build(name=name), build(name=name)
    summary = engine_of(ENGINES["image", name][0], nn.DataParallel(model) if wrapped else model).forward_backward(BATCH)
    logits = again.classifier.head(again.features(BATCH["img"].mean((2, 3))), BATCH["pid"])
    loss = F.cross_entropy(logits, BATCH["pid"])
    optimizer = torchreid.optim.build_optimizer(again, optim="sgd", lr=0.1)
    loss.backward()
    optimizer.step()
    assert summary["loss"] == summary["loss_x"] == pytest.approx(loss.item(), rel=1e-5)
    assert summary["acc"] == pytest.approx(100 * (logits.argmax(1) == BATCH["pid"]).float().mean().item())
    torch.testing.assert_close(model.state_dict(), again.state_dict())


def test_the_diversity_loss_is_added():
    model, again = build(TinyDiverse), build(TinyDiverse)
    summary = engine_of(StRAMarginEngine, model, weight_d=0.1).forward_backward(BATCH)
    features = again.features(BATCH["img"].mean((2, 3)))
    loss = F.cross_entropy(again.classifier.head(features, BATCH["pid"]), BATCH["pid"])
    diversity = features.square().sum(1).mean()
    (loss + 0.1 * diversity).backward()
    torchreid.optim.build_optimizer(again, optim="sgd", lr=0.1).step()
    assert summary["loss_d"] == pytest.approx(diversity.item(), rel=1e-5)
    assert summary["loss"] == pytest.approx((loss + 0.1 * diversity).item(), rel=1e-5)
    torch.testing.assert_close(model.state_dict(), again.state_dict())


def test_a_margin_takes_the_classifier_s_place():
    model = build(name="cosface", margin=0.2)
    head = model.classifier.head
    assert (head.features, head.classes, head.margin, head.scale) == (8, 4, 0.2, 64.0)
    model.eval()
    assert model(BATCH["img"]).shape == (6, 8)


def run(root, folder, *opts):
    given = ("data.keypoints", str(root / "market_keypoints.json"), "loss.name", "adaface", "loss.adaface.h", "0.5")
    return main(arguments(root, folder, "model.name", NAME, "train.batch_size", "16", *given, *opts))


def test_a_step_after_a_checkpoint_is_the_same(tmp_path):
    """Weights, statistics and momentum of a saved engine, in a new one."""
    models = build(), build(), build()
    optimizers = [torchreid.optim.build_optimizer(model, optim="sgd", lr=0.1) for model in models]
    whole, cut, again = (
        MarginEngine(DATA, model, optimizer=optimizer, use_gpu=False)
        for model, optimizer in zip(models, optimizers, strict=True)
    )
    for engine in (whole, cut, whole):
        engine.forward_backward(BATCH)
    save_checkpoint(training_state(models[1], optimizers[1], None, 1), tmp_path / "saved")
    with torch.no_grad():
        models[2].classifier.head.batch_mean.fill_(3)
    assert resume(tmp_path / "saved", models[2], optimizers[2]) == 1
    again.forward_backward(BATCH)
    for key, value in models[0].state_dict().items():
        assert torch.equal(value, models[2].state_dict()[key]), key


@pytest.mark.slow
def test_a_run_resumes_exactly_with_its_statistics(market_root, tmp_path):
    assert run(market_root, tmp_path / "whole", "train.max_epoch", "2") == 0
    assert run(market_root, tmp_path / "cut", "train.max_epoch", "1") == 0
    first = tmp_path / "cut" / "model" / "model.pth.tar-1"
    assert run(market_root, tmp_path / "cut", "train.max_epoch", "2", "model.resume", str(first)) == 0
    saved = [torch.load(tmp_path / folder / "model" / "model.pth.tar-2") for folder in ("whole", "cut")]
    for key, value in saved[0]["state_dict"].items():
        assert torch.equal(value, saved[1]["state_dict"][key]), key
    statistics = [torch.load(first)["state_dict"], saved[0]["state_dict"]]
    means = [weights["classifier.head.batch_mean"].item() for weights in statistics]
    assert means[0] != 20 and means[0] != means[1]  # moved by each epoch


@pytest.mark.parametrize(("kind", "model", "said"), [
    (MarginEngine, Tiny, r"needs a margin head .* has none"),
    (SoftmaxEngine, build, r"trains no margin head .* has one"),
    (MarginEngine, lambda: build(lambda: Tiny(people=3)), "tells 3 people apart, but the training data has 4"),
    (MarginEngine, lambda: build(lambda: Tiny("triplet")), "built with loss='softmax', but"),
])  # fmt: skip
def test_models_that_are_not_the_engine_s_are_refused(kind, model, said):
    with pytest.raises(KpstraError, match=said):
        engine_of(kind, model())


def test_a_model_without_a_classifier_is_refused():
    with pytest.raises(KpstraError, match="Linear has no linear layer named classifier"):
        give_margin(nn.Linear(2, 2), "arcface")
    with pytest.raises(KpstraError, match="did you mean 'arcface'"):
        give_margin(Tiny(), "arcfaces")


@pytest.mark.parametrize(("given", "said"), [
    (("data.type", "video", "video.sample_method", "evenly"), "margin losses are for images"),
    (("loss.adaface.h", "0"), r"loss\.adaface\.h: 0\.0"),
    (("loss.adaface.t_alpha", "1.0"), "less than 1"),
    (("loss.arcface.margin", "-1"), "0 or more"),
    (("loss.cosface.scale", "0"), "more than 0"),
])  # fmt: skip
def test_wrong_settings_are_refused(given, said):
    with pytest.raises(KpstraError, match=said):
        load_config(opts=["loss.name", "adaface", *given])
