"""A training step of our engines waits for the device no more often than torchreid's with a plain network."""

from types import SimpleNamespace
from unittest.mock import patch

import pytest
import torch
from torch import nn
from waits import Waits

import reid_ext
from plugins.stra import StRABottleneck
from reid_ext.host import torchreid
from reid_ext.models import backbones
from reid_ext.models.faces import FaceViT
from reid_ext.models.faces.transformers import KPRPEFaceTransformer
from reid_ext.models.networks import GivesDiversity
from reid_ext.models.options import building
from reid_ext.training.engines import MarginEngine, SoftmaxEngine, StRASoftmaxEngine, StRATripletEngine, TripletEngine
from reid_ext.training.margins import MARGINS, give_margin

reid_ext.register()
SIZE, PEOPLE = (64, 32), 5
TINY = "vit_tiny_patch16_224", {"depth": 2}
FACE = {"img_size": SIZE, "embed_dim": 32, "depth": 2, "num_heads": 2, "feature_dim": 512}


class Plain(nn.Module):
    """A small network of torchreid's interface."""

    def __init__(self, loss="softmax"):
        super().__init__()
        self.loss, self.stem, self.classifier = loss, nn.Conv2d(3, 256, 8, 8), nn.Linear(256, PEOPLE)

    def forward(self, images):
        feature = self.features(images).mean((2, 3))
        logits = self.classifier(feature)
        return logits if self.loss == "softmax" else (logits, feature)

    def features(self, images):
        return self.stem(images)


class Stra(GivesDiversity, Plain):
    """With ResNet50's block with StRA."""

    def __init__(self, loss="softmax"):
        super().__init__(loss)
        self.block = StRABottleneck(256, 64)

    def features(self, images):
        features, self.diversity = self.block(super().features(images))
        return features

    def forward(self, images):
        outputs = super().forward(images)
        return (*(outputs if isinstance(outputs, tuple) else (outputs,)), self.diversity)


def factory(name, **kprpe):
    def build(loss="softmax"):
        with building(SIZE, kprpe):
            return torchreid.models.build_model(name, PEOPLE, loss, pretrained=False, use_gpu=False)

    return build


def with_margin(name):
    def build():
        model = Plain()
        give_margin(model, name)
        return model

    return build


def face():
    with building(SIZE, {}):
        return KPRPEFaceTransformer(PEOPLE, "softmax", build=lambda size, **given: FaceViT(**FACE, **given))


def waits_of(engine_class, model, steps=3):
    """What the last of some steps of an engine waits for; the first build what is remembered."""
    joints = getattr(model, "num_joints", 17)
    keypoints = torch.rand(4, joints, 3) * torch.tensor([SIZE[1], SIZE[0], 1.0])
    batch = {"img": torch.randn(4, 3, *SIZE), "pid": torch.tensor([0, 0, 1, 1]), "keypoints": keypoints}
    data = SimpleNamespace(train_loader=[batch], test_loader={}, num_train_pids=PEOPLE, sources=[])
    optimizer = torchreid.optim.build_optimizer(model, optim="sgd", lr=1e-4)
    with patch.object(torch.cuda, "is_available", lambda: True):
        engine = engine_class(data, model, optimizer=optimizer, use_gpu=True)
    engine.set_model_mode("train")
    with Waits() as waits:
        for _ in range(steps):
            waits.found.clear()
            losses = engine.forward_backward({name: waits.memory(value) for name, value in batch.items()})
    assert all(isinstance(value, float) for value in losses.values())
    return waits.found


@pytest.fixture(scope="module")
def hosts():
    """What torchreid's own engines wait for, by the loss."""
    engines = torchreid.engine.ImageSoftmaxEngine, torchreid.engine.ImageTripletEngine
    return {loss: waits_of(engine, Plain(loss)) for loss, engine in zip(("softmax", "triplet"), engines, strict=True)}


@pytest.fixture
def tiny(monkeypatch):
    """The transformers of re-ID with two layers."""
    monkeypatch.setitem(backbones.BACKBONES, "vit_small_patch16", TINY)


STEPS = {
    "plain": (SoftmaxEngine, Plain),
    "plain, triplet": (TripletEngine, lambda: Plain("triplet")),
    "StRA": (StRASoftmaxEngine, Stra),
    "StRA, triplet": (StRATripletEngine, lambda: Stra("triplet")),
    "MobileNetV2, StRA": (StRASoftmaxEngine, factory("mobilenetv2_x1_0_stra")),
    "KP-RPE": (SoftmaxEngine, factory("vit_small_patch16_kprpe")),
    "KP-RPE, second order": (SoftmaxEngine, factory("vit_small_patch16_kprpe", formulation="second_order")),
    "KP-RPE, control": (SoftmaxEngine, factory("vit_small_patch16_kprpe", keypoints="constant")),
    **{
        f"joints as {kind}": (SoftmaxEngine, factory(f"vit_small_patch16_{kind}"))
        for kind in ("heatmaps", "drawn", "pooled")
    },
    "KP-RPE of modes": (StRASoftmaxEngine, factory("vit_small_patch16_modes")),
    "KP-RPE in a face's": (SoftmaxEngine, face),
    **{name: (MarginEngine, with_margin(name)) for name in MARGINS},
}


QUICK = ("plain", "plain, triplet", "StRA", "StRA, triplet", "KP-RPE", *MARGINS)


@pytest.mark.parametrize(
    "step", [name if name in QUICK else pytest.param(name, marks=pytest.mark.slow) for name in STEPS]
)
def test_no_wait_beyond_the_hosts(step, hosts, tiny):
    engine, build = STEPS[step]
    reference = hosts["triplet" if "triplet" in step else "softmax"]
    found = waits_of(engine, build())
    assert len(found) <= len(reference), (found, reference)
