"""The warm-up before torchreid's schedules: rates epoch by epoch, and going on from the middle of it."""

import math

import pytest
import torch

from plugins.errors import KpstraError
from reid_ext.host import torchreid
from reid_ext.settings.load import load_config
from reid_ext.training import checkpoints
from reid_ext.training.resume import resume
from reid_ext.training.schedules import build_scheduler


def built(warm, kind="cosine", epochs=10):
    torch.manual_seed(0)
    model = torch.nn.Linear(2, 1)
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.5)
    return model, optimizer, build_scheduler(optimizer, warm, epochs, lr_scheduler=kind, stepsize=[4], gamma=0.1)


def rates(optimizer, scheduler, epochs):
    found = []
    for _ in range(epochs):
        found.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return found


@pytest.mark.filterwarnings("error")
def test_the_rate_rises_evenly_and_falls_as_a_cosine():
    expected = [0.5 * (e + 1) / 4 for e in range(3)] + [0.25 * (1 + math.cos(math.pi * e / 7)) for e in range(7)]
    assert rates(*built(3)[1:], 10) == pytest.approx(expected)


def test_steps_are_counted_from_the_end_of_the_warm_up():
    assert rates(*built(2, "multi_step")[1:], 8) == pytest.approx([0.5 / 3, 1 / 3, *[0.5] * 4, *[0.05] * 2])


def test_without_a_warm_up_it_is_the_hosts():
    _, optimizer, ours = built(0)
    hosts = torchreid.optim.build_lr_scheduler(optimizer, lr_scheduler="cosine", max_epoch=10)
    assert type(ours) is type(hosts) and ours.T_max == 10


@pytest.mark.parametrize("done", [1, 2, 5])
def test_a_run_goes_on_with_the_same_rates(tmp_path, done):
    model, optimizer, scheduler = built(2)
    rates(optimizer, scheduler, done)
    checkpoints.save_checkpoint(checkpoints.training_state(model, optimizer, scheduler, done), tmp_path / "a")
    again = built(2)
    assert resume(tmp_path / "a", *again) == done
    assert rates(*again[1:], 10 - done) == pytest.approx(rates(*built(2)[1:], 10)[done:])


def test_another_schedule_does_not_go_on(tmp_path):
    checkpoints.save_checkpoint(checkpoints.training_state(*built(0), 1), tmp_path / "a")
    with pytest.raises(KpstraError, match="scheduler is CosineAnnealingLR, expected SequentialLR"):
        resume(tmp_path / "a", *built(2))


def test_a_warm_up_ends_before_the_training_does():
    with pytest.raises(KpstraError, match=r"train\.warmup_epoch: 5: expected fewer than train\.max_epoch, 5"):
        load_config(opts=["train.warmup_epoch", "5", "train.max_epoch", "5"])
