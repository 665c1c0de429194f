"""Losses, gradients and features that are NaN or infinite, in training and testing of torchreid's models."""

from types import SimpleNamespace

import pytest
import torch
from torch import nn

import reid_ext
from plugins.errors import KpstraError
from reid_ext.host import torchreid
from reid_ext.models.networks import DiversityOutputs
from reid_ext.training.engines import SoftmaxEngine, StRASoftmaxEngine, StRATripletEngine, TripletEngine

reid_ext.register()
KIND = "loss, gradient, weight or feature that is NaN or infinite (torchreid)"
ENDED = "run ended, epoch, batch and images named, last checkpoint whole"


class Tiny(DiversityOutputs, nn.Module):
    """A classifier of mean colours with the outputs that an engine wants; ``poison`` acts on its features."""

    def __init__(self, loss="softmax"):
        super().__init__()
        self.loss, self.calls, self.poison = loss, 0, None
        self.classifier, self.norm = nn.Linear(3, 4), nn.BatchNorm1d(3)

    def forward(self, x):
        v = self.norm(x.mean((2, 3)))
        self.calls += self.training
        if self.poison is not None:
            v = self.poison(v, self)
        if not self.training:
            return v
        outputs = (self.classifier(v),) if self.loss == "softmax" else (self.classifier(v), v)
        outputs += (v.new_zeros(len(v)),) if self.return_diversity else ()
        return outputs[0] if len(outputs) == 1 else outputs


def batches(count=2):
    return [
        {
            "img": torch.rand(8, 3, 8, 4),
            "pid": torch.arange(8) % 4,
            "camid": torch.arange(8) % 2,
            "impath": [f"b{number}/{i}.jpg" for i in range(8)],
        }
        for number in range(1, count + 1)
    ]


ENGINES = {
    "softmax": SoftmaxEngine,
    "triplet": TripletEngine,
    "StRA softmax": StRASoftmaxEngine,
    "StRA triplet": StRATripletEngine,
}


@pytest.fixture
def engine():
    """Build one of the engines for a tiny network and two batches an epoch."""

    def build(name, poison=None):
        model = Tiny("triplet" if "triplet" in name else "softmax")
        model.poison = poison
        test = {"made up": {"query": batches(1), "gallery": batches(2)}}
        data = SimpleNamespace(train_loader=batches(), test_loader=test, num_train_pids=4, sources=["made up"])
        optimizer = torch.optim.SGD(model.parameters(), 0.01)
        scheduler = torchreid.optim.build_lr_scheduler(optimizer, stepsize=1)
        return ENGINES[name](data, model, optimizer=optimizer, scheduler=scheduler, use_gpu=False)

    return build


def gradient_only(v, model):
    """Finite values, a gradient of 0 / 0."""
    return v + (v * 0).sqrt()


POISON = {
    "nan": (lambda v, model: v * torch.nan, "is nan"),
    "overflow": (lambda v, model: v * 3e38 * 3e38, "is nan"),
    "gradient": (gradient_only, "the gradients are not finite"),
}


@pytest.mark.parametrize("at", [(1, 1), (2, 2)], ids=["first batch", "epoch 2, batch 2"])
@pytest.mark.parametrize("what", POISON)
@pytest.mark.parametrize("name", ENGINES)
def test_the_run_ends_at_once(engine, tmp_path, record, name, what, at):
    poison, message = POISON[what]
    epoch, batch = at
    call = 2 * (epoch - 1) + batch
    with pytest.raises(KpstraError, match=rf"{message}.* at epoch {epoch}, batch {batch}; .*load_weights") as caught:
        engine(name, lambda v, m: poison(v, m) if m.calls == call else v).run(str(tmp_path), max_epoch=3)
    assert all(f"b{batch}/{i}.jpg" in str(caught.value) for i in range(8)) and f"b{3 - batch}/" not in str(caught.value)
    saved = sorted((tmp_path / "model").glob("*")) if (tmp_path / "model").is_dir() else []
    assert [path.name for path in saved] == [f"model.pth.tar-{i}" for i in range(1, epoch)]
    for path in saved:
        assert all(torch.isfinite(v).all() for v in torch.load(path)["state_dict"].values())
    record(KIND, ENDED)


def test_spoiled_weights_are_not_saved(engine, tmp_path, record):
    def spoil(v, model):
        if model.calls == 2:
            model.norm.running_var.data.fill_(torch.nan)
        return v

    with pytest.raises(KpstraError, match=r"epoch 1: no checkpoint is written: model: not finite .*: norm.running_var"):
        engine("softmax", spoil).run(str(tmp_path), max_epoch=2)
    assert not list(tmp_path.rglob("model.pth.tar*"))
    record(KIND, ENDED)


def test_features_that_are_no_numbers_are_not_ranked(engine, record):
    """The host sorts NaN like a distance and reports an accuracy."""

    def spoil_one(v, model):
        return torch.where(torch.arange(8)[:, None] == 5, torch.nan, v)

    with pytest.raises(KpstraError, match=r"test: features are not finite, .*images: b1/5.jpg$"):
        engine("softmax", spoil_one).run(test_only=True)
    record(KIND, "images named, nothing ranked")


def test_videos_are_named_by_person_and_camera():
    from reid_ext.training.numerics import _names

    assert _names({"pid": torch.tensor([3]), "camid": torch.tensor([1])}) == ["person 3 camera 1"]
