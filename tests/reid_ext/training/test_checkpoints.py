"""Checkpoints: round trips, older files, foreign files, and files that must not be trusted."""

import os
import pickle
import random

import numpy as np
import pytest
import torch
from torch import nn

from plugins.errors import KpstraError
from plugins.stra import reference
from reid_ext.host import torchreid
from reid_ext.models.factory import MODELS
from reid_ext.training import checkpoints as checkpoint
from reid_ext.training.resume import resume
from reid_ext.training.rng import preserved_rng
from reid_ext.training.weights import load_weights


def build(out=3, optim="sgd", scheduler="single_step", staged=False):
    model = nn.Sequential()
    model.add_module("body", nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4)))
    model.add_module("classifier", nn.Linear(4, out))
    optimizer = torchreid.optim.build_optimizer(model, optim=optim, lr=0.1, staged_lr=staged, new_layers=["classifier"])
    return (
        model,
        optimizer,
        torchreid.optim.build_lr_scheduler(
            optimizer, lr_scheduler=scheduler, stepsize=[2] if scheduler == "multi_step" else 2, gamma=0.5, max_epoch=9
        ),
    )


def train(model, optimizer, scheduler, epochs):
    """Some training that draws from all three streams."""
    model.train()
    for _ in range(epochs):
        for _ in range(3):
            x = torch.randn(8, 4) + random.random() + np.random.rand()
            optimizer.zero_grad()
            model(x.float()).pow(2).mean().backward()
            optimizer.step()
        scheduler.step()


def same(model, other):
    weights, others = model.state_dict(), other.state_dict()
    return weights.keys() == others.keys() and all(torch.equal(weights[key], others[key]) for key in weights)


@pytest.mark.parametrize("scheduler", ["single_step", "multi_step", "cosine"])
@pytest.mark.parametrize("optim", ["sgd", "adam", "amsgrad", "rmsprop", "radam"])
def test_resumed_run_equals_uninterrupted(tmp_path, optim, scheduler):
    run = build(optim=optim, scheduler=scheduler)
    train(*run, epochs=2)
    checkpoint.save_checkpoint(checkpoint.training_state(*run, epoch=2, rank1=np.float32(0.5)), tmp_path / "a")
    train(*run, epochs=2)
    torch.manual_seed(9)
    random.seed(9)
    np.random.seed(9)
    again = build(optim=optim, scheduler=scheduler)
    assert resume(tmp_path / "a", *again) == 2
    train(*again, epochs=2)
    assert same(run[0], again[0])
    assert run[1].param_groups[0]["lr"] == again[1].param_groups[0]["lr"]


def test_file_holds_plain_types_only(tmp_path):
    state = checkpoint.training_state(*build(scheduler="multi_step"), epoch=np.int64(3), rank1=np.float32(0.5))
    checkpoint.save_checkpoint(state, tmp_path / "a")
    loaded = torch.load(tmp_path / "a", weights_only=True)  # without any safe list
    assert set(loaded) == {"state_dict", "epoch", "rank1", "optimizer", "scheduler", "rng"}
    assert (type(loaded["epoch"]), type(loaded["rank1"])) == (int, float)
    assert "rank1" not in checkpoint.training_state(*build(), epoch=1)


@pytest.mark.parametrize("saved_parallel", [False, True])
@pytest.mark.parametrize("resumed_parallel", [False, True])
def test_module_prefix_on_either_side(tmp_path, saved_parallel, resumed_parallel):
    model, *rest = build()
    weights = {("module." if saved_parallel else "") + key: value for key, value in model.state_dict().items()}
    state = {**checkpoint.training_state(model, *rest, epoch=1), "state_dict": weights}
    torch.save(state, tmp_path / "a")
    other = build()
    target = nn.DataParallel(other[0]) if resumed_parallel else other[0]
    assert resume(tmp_path / "a", target, *other[1:]) == 1
    assert same(model, other[0])
    report = load_weights(target, tmp_path / "a")
    assert len(report.weights) == len(weights) and not report.left_out and not report.kept


@pytest.mark.parametrize("module", ["numpy._core.multiarray", "numpy.core.multiarray"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_torchreids_own_file_with_numpy_rank1(tmp_path, module, dtype):
    model, optimizer, _ = build()
    path = tmp_path / "model.pth.tar-3"
    state = {"state_dict": model.state_dict(), "epoch": 3, "rank1": dtype(0.75), "optimizer": optimizer.state_dict()}
    torch.save(state, path, _use_new_zipfile_serialization=False)
    # the name differs with the NumPy that wrote it; both are pickled as a line of text
    raw = path.read_bytes()
    assert raw.count(b"multiarray\nscalar") == 1
    here = b"numpy._core.multiarray" if b"numpy._core.multiarray" in raw else b"numpy.core.multiarray"
    path.write_bytes(raw.replace(here, module.encode()))
    with pytest.raises(pickle.UnpicklingError):
        torch.load(path, weights_only=True)
    loaded = checkpoint.load_checkpoint(path)
    assert loaded["rank1"] == 0.75
    assert type(loaded["rank1"]) is float
    assert resume(path, *build()) == 3
    with pytest.raises(pickle.UnpicklingError):  # nothing was registered for good
        torch.load(path, weights_only=True)


class Malicious:
    def __init__(self, target):
        self.target = target

    def __reduce__(self):
        return os.mkdir, (str(self.target),)


@pytest.mark.parametrize("zipped", [True, False])
def test_malicious_file_runs_no_code(tmp_path, zipped):
    path = tmp_path / "evil"
    torch.save({"state_dict": Malicious(tmp_path / "hit")}, path, _use_new_zipfile_serialization=zipped)
    with pytest.raises(KpstraError, match=r"evil: refused.*mkdir"):
        checkpoint.load_checkpoint(path)
    assert not (tmp_path / "hit").exists()
    torch.load(path, weights_only=False)  # the file would have
    assert (tmp_path / "hit").exists()


@pytest.mark.parametrize("keep", [0, 1, 100, 0.5, 0.99])
def test_truncated_file(tmp_path, keep):
    path = tmp_path / "cut"
    checkpoint.save_checkpoint(checkpoint.training_state(*build(), epoch=1), path)
    raw = path.read_bytes()
    path.write_bytes(raw[: int(keep * len(raw)) if isinstance(keep, float) else keep])
    with pytest.raises(KpstraError, match="cut: damaged"):
        checkpoint.load_checkpoint(path)


def test_missing_file_folder_and_other_content(tmp_path):
    with pytest.raises(KpstraError, match="none: no such"):
        checkpoint.load_checkpoint(tmp_path / "none")
    with pytest.raises(KpstraError, match="no such"):
        checkpoint.load_checkpoint(tmp_path)
    (tmp_path / "text").write_text("hello")
    with pytest.raises(KpstraError, match="text: damaged"):
        checkpoint.load_checkpoint(tmp_path / "text")
    torch.save([1, 2], tmp_path / "list")
    with pytest.raises(KpstraError, match="holds a list"):
        checkpoint.load_checkpoint(tmp_path / "list")
    torch.save({"epoch": 1, "state_dict": {"a": 1}}, tmp_path / "numbers")
    with pytest.raises(KpstraError, match="expected tensors"):
        resume(tmp_path / "numbers", *build())


def test_failed_write_leaves_the_old_file(tmp_path):
    path = tmp_path / "a"
    checkpoint.save_checkpoint({"epoch": 1}, path)
    with pytest.raises((pickle.PicklingError, AttributeError)):
        checkpoint.save_checkpoint({"epoch": lambda: 2}, path)
    assert checkpoint.load_checkpoint(path) == {"epoch": 1}
    assert os.listdir(tmp_path) == ["a"]


def test_resume_into_another_network(tmp_path):
    checkpoint.save_checkpoint(checkpoint.training_state(*build(), epoch=1), tmp_path / "a")
    model, *rest = build(out=5)
    before = model.classifier.weight.clone()
    with pytest.raises(KpstraError, match=r"classifier.weight is \(3, 4\) here \(5, 4\)"):
        resume(tmp_path / "a", model, *rest)
    assert torch.equal(model.classifier.weight, before)
    with pytest.raises(KpstraError, match="no tensor fits"):
        resume(tmp_path / "a", nn.Linear(2, 2))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"optim": "adam"}, "optimizer does not fit Adam"),
        ({"staged": True}, "parameters by group"),
        ({"scheduler": "cosine"}, "scheduler is StepLR, expected CosineAnnealingLR"),
    ],
)
def test_resume_with_another_optimizer_or_scheduler(tmp_path, change, words):
    checkpoint.save_checkpoint(checkpoint.training_state(*build(), epoch=1), tmp_path / "a")
    with pytest.raises(KpstraError, match=words):
        resume(tmp_path / "a", *build(**change))


def test_weights_alone_cannot_be_resumed(tmp_path):
    torch.save(build()[0].state_dict(), tmp_path / "a")
    with pytest.raises(KpstraError, match=r"model\.load_weights"):
        resume(tmp_path / "a", *build())


def test_load_weights_takes_what_fits_and_reports(tmp_path, capsys):
    source, target = build()[0], build(out=5)[0]
    torch.save(source.state_dict(), tmp_path / "a")
    report = load_weights(target, tmp_path / "a")
    assert torch.equal(source.body[0].weight, target.body[0].weight)
    assert report.left_out == list(report.kept) == ["classifier.weight", "classifier.bias"]
    assert "left out" in capsys.readouterr().out
    with pytest.raises(KpstraError, match="no tensor fits"):
        load_weights(nn.Conv2d(3, 3, 3), tmp_path / "a")


def as_the_authors(key):
    for theirs, ours in reference.RENAMES:
        key = f".{key}".replace(f".{ours}.", f".{theirs}.")[1:]
    return f"module.{key}"


def test_authors_checkpoint_for_weights_and_for_resume(tmp_path):
    model = MODELS["resnet50_stra"](4, "softmax")
    optimizer = torchreid.optim.build_optimizer(model, optim="adam", lr=0.1)
    optimizer.param_groups[0]["lr"] = 0.025
    weights = {as_the_authors(key): value for key, value in model.state_dict().items()}
    weights["module.global_avg_pool.1.weight"] = weights["module.global_avg_pool.1.weight"][:, :, None, None]
    assert "module.layer4.0.conv2.moe.bn2.weight" in weights
    state = {"state_dict": weights, "epoch": 100, "rank1": np.float64(0.94), "optimizer": optimizer.state_dict()}
    torch.save(state, tmp_path / "model.pth.tar-100", _use_new_zipfile_serialization=False)

    other = MODELS["resnet50_stra"](4, "softmax")
    report = load_weights(other, tmp_path / "model.pth.tar-100")
    assert not report.left_out and not report.kept
    assert same(model, other)

    third = MODELS["resnet50_stra"](4, "softmax")
    optimizer = torchreid.optim.build_optimizer(third, optim="adam", lr=0.1)
    assert resume(tmp_path / "model.pth.tar-100", third, optimizer) == 100
    assert same(model, third)
    assert optimizer.param_groups[0]["lr"] == 0.025


def test_preserved_rng():
    with preserved_rng():
        inside = (random.random(), np.random.rand(), torch.rand(1).item())
    assert inside == (random.random(), np.random.rand(), torch.rand(1).item())
    with pytest.raises(ZeroDivisionError), preserved_rng():
        expected = torch.get_rng_state()
        torch.rand(1)
        raise ZeroDivisionError
    assert torch.equal(torch.get_rng_state(), expected)
