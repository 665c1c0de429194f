"""The diversity loss in torchreid's engines."""

from types import SimpleNamespace

import pytest
import torch
from torch import nn

import reid_ext
from plugins.errors import KpstraError
from reid_ext.host import torchreid
from reid_ext.training.engines import StRASoftmaxEngine, StRATripletEngine
from reid_ext.training.steps import returning_diversity

reid_ext.register()
BATCH = {"img": torch.randn(6, 3, 64, 32), "pid": torch.tensor([0, 0, 1, 1, 2, 2])}
DATA = SimpleNamespace(train_loader=[BATCH], test_loader={}, num_train_pids=10, sources=[])


def build(loss="softmax"):
    torch.manual_seed(0)
    return torchreid.models.build_model("mobilenetv2_x1_0_stra", 10, loss=loss, pretrained=False, use_gpu=False)


def engine_for(engine_class, model, **kwargs):
    optimizer = torchreid.optim.build_optimizer(model, optim="sgd", lr=0.01)
    return engine_class(DATA, model, optimizer=optimizer, use_gpu=False, **kwargs)


@pytest.mark.parametrize(
    ("ours", "hosts", "loss", "names"),
    [
        (StRASoftmaxEngine, torchreid.engine.ImageSoftmaxEngine, "softmax", ["loss_x"]),
        (StRATripletEngine, torchreid.engine.ImageTripletEngine, "triplet", ["loss_t", "loss_x"]),
    ],
)
def test_losses_are_the_hosts_plus_the_weighted_diversity(ours, hosts, loss, names):
    summary = engine_for(ours, build(loss), weight_d=0.5).forward_backward(BATCH)
    host = engine_for(hosts, build(loss)).forward_backward(BATCH)
    model = build(loss)
    with returning_diversity(model):
        diversity = model(BATCH["img"])[-1].mean().item()
    assert summary["loss_d"] == pytest.approx(diversity, rel=1e-5)
    host_losses = [host["loss"]] if loss == "softmax" else [host["loss_t"], host["loss_x"]]
    assert [summary[name] for name in names] == pytest.approx(host_losses, rel=1e-5)
    assert summary["loss"] == pytest.approx(sum(host_losses) + 0.5 * diversity, rel=1e-5)
    assert summary["acc"] == host["acc"]


def test_weight_zero_trains_as_the_hosts_engine():
    ours, hosts = build(), build()
    engine_for(StRASoftmaxEngine, ours, weight_d=0.0).forward_backward(BATCH)
    engine_for(torchreid.engine.ImageSoftmaxEngine, hosts).forward_backward(BATCH)
    for a, b in zip(ours.parameters(), hosts.parameters(), strict=True):
        torch.testing.assert_close(a, b)


def test_a_triplet_weight_of_zero_leaves_that_loss_out():
    summary = engine_for(StRATripletEngine, build("triplet"), weight_t=1, weight_x=0).forward_backward(BATCH)
    assert set(summary) == {"loss", "loss_t", "loss_d", "acc"}


def test_the_switch_is_off_outside_the_engine_and_reaches_into_data_parallel():
    model = build()
    wrapped = nn.DataParallel(model)
    with returning_diversity(wrapped):
        assert model.return_diversity
    assert not model.return_diversity
    engine_for(StRASoftmaxEngine, model).forward_backward(BATCH)
    assert isinstance(model(BATCH["img"]), torch.Tensor)


def test_a_model_without_diversity_is_refused():
    with pytest.raises(KpstraError, match="has no diversity loss"):
        engine_for(StRASoftmaxEngine, nn.Linear(2, 2))


def test_frozen_epochs_leave_the_base_untouched():
    model = build()
    engine = engine_for(StRASoftmaxEngine, model)
    before = {key: value.clone() for key, value in model.state_dict().items()}
    engine.set_model_mode("train")
    engine.two_stepped_transfer_learning(0, 8, ["conv7", "conv8", "conv9", "classifier"])
    engine.forward_backward(BATCH)
    moved = {key.split(".")[0] for key, value in model.state_dict().items() if not torch.equal(before[key], value)}
    assert moved == {"conv7", "conv8", "conv9", "classifier"}
    engine.two_stepped_transfer_learning(8, 8, ["classifier"])
    assert all(p.requires_grad for p in model.parameters())


def test_checkpoints_come_at_their_epochs_and_at_the_last(monkeypatch):
    """``train.save_freq`` 2 of 5 epochs."""
    engine, saved = engine_for(StRASoftmaxEngine, build()), []
    monkeypatch.setattr(torchreid.engine.Engine, "train", lambda *_, **__: None)
    monkeypatch.setattr(engine, "save_model", lambda epoch, *_: saved.append(epoch + 1))
    engine.save_dir, engine.save_freq, engine.max_epoch = "log", 2, 5
    for engine.epoch in range(5):
        engine.train()
    assert saved == [2, 4, 5]


def test_run_takes_the_hosts_arguments_in_its_order(monkeypatch):
    """As a script of torchreid's gives them; what is between two checkpoints is given by name."""
    found = {}

    def run(self, save_dir="log", max_epoch=0, start_epoch=0, test_only=False):
        found.update(save_dir=save_dir, max_epoch=max_epoch)

    monkeypatch.setattr(torchreid.engine.Engine, "run", run)
    engine = engine_for(StRASoftmaxEngine, build())
    engine.run("folder", 60, save_freq=5)
    assert found == {"save_dir": "folder", "max_epoch": 60} and engine.save_freq == 5 and not engine._test_only
    engine.run("folder", 60, 0, True)
    assert engine._test_only
