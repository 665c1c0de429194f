"""Losses, gradients and features that are NaN or infinite, in training and testing of OpenGait's models; AMP."""

import importlib

import pytest
import torch
from gait_data import write_data
from torch import nn

from opengait_ext.settings.load import load_settings
from opengait_ext.training.hosted import hosted_class
from opengait_ext.training.numerics import MAX_SKIPPED
from plugins.errors import KpstraError

pytest_plugins = ["host_folders"]
KIND = "loss, gradient, weight or feature that is NaN or infinite (OpenGait)"
ENDED = "run ended, iteration and sequences named, last checkpoint whole"
SKIPPED = "step left out by GradScaler, counted and logged"


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return write_data(tmp_path_factory.mktemp("gait"), frames=4)


@pytest.fixture
def train(host, data, tmp_path, monkeypatch):
    """Train a tiny model of each host; ``poison`` (loss, model, batch number) -> loss. Returns the model."""
    monkeypatch.chdir(tmp_path)
    base = importlib.import_module("modeling.base_model").BaseModel

    class Tiny(base):
        def build_network(self, model_cfg):
            self.head = nn.Linear(64, 4)
            self.norm = nn.BatchNorm1d(4)

        def forward(self, inputs):
            x = self.norm(self.head(inputs[0][0].mean((1, 3))))  # n, 4
            loss = x.square().mean() if not self.training else self.poison(x.square().mean(), self, self.batches)
            return {
                "training_feat": {"loss": loss},
                "visual_summary": {},
                "inference_feat": {"embeddings": x[..., None]},
            }

    def run(poison, total=4, scaler=False, phase="train", change=None, **trainer):
        overrides = [
            f"data_cfg.dataset_root={data / 'data'}",
            f"data_cfg.dataset_partition={data / 'partition.json'}",
            "model_cfg={model: Tiny}",
            f"trainer_cfg.total_iter={total}",
            "trainer_cfg.save_iter=1",
            "trainer_cfg.log_iter=1",
            "data_cfg.num_workers=0",
            "data_cfg.data_in_use=[true, false]",
            f"trainer_cfg.enable_float16={str(scaler).lower()}",
            "evaluator_cfg.sampler.batch_size=1",
            *(f"trainer_cfg.{key}={value}" for key, value in trainer.items()),
        ]
        settings = load_settings(host.active, "opengait/pets_swingait2d", overrides)
        training = phase == "train"
        engine = settings["trainer_cfg" if training else "evaluator_cfg"]
        engine["restore_hint"] = trainer.get("restore_hint", 0)
        utils = importlib.import_module("utils")
        utils.get_msg_mgr().init_manager(str(tmp_path / "log"), False, 1, 0)
        utils.init_seeds(trainer.get("seed", 0))
        model = hosted_class(host.active, Tiny)(settings, training)
        model.poison = poison
        if scaler:
            model.Scaler = torch.amp.GradScaler("cpu")  # the hosts make one that does nothing without CUDA
        if change is not None:
            change(model)
        try:
            (model.run_train if training else model.run_test)(model)
        finally:
            model.msg_mgr.writer.close()
        return model

    return run


def checkpoints(folder):
    found = sorted(folder.rglob("*.pt"))
    for path in found:
        state = torch.load(path, weights_only=True)["model"]
        assert all(torch.isfinite(tensor).all() for tensor in state.values())
    return [int(path.stem[-5:]) for path in found]


POISON = {
    "nan loss": (lambda loss, model: loss * torch.nan, "the loss is nan"),
    "infinite loss": (lambda loss, model: loss + torch.inf, "the loss is inf"),
    "overflow": (lambda loss, model: loss * 3e38 * 3e38, "the loss is inf"),
    "0 / 0 in the gradient": (lambda loss, model: loss + (loss * 0).sqrt(), "the gradients are not finite"),
    "infinite gradient": (
        lambda loss, model: loss + (model.head.weight * 0).abs().sum().pow(0.5) * 0.1,
        "the gradients are not finite",
    ),
}


@pytest.mark.parametrize("at", [1, 2, 4])
@pytest.mark.parametrize("what", POISON)
def test_without_float16_the_run_ends_at_once(train, tmp_path, record, what, at):
    """The message has iteration and sequences; the checkpoints before it are there and whole, none is written after."""
    poison, message = POISON[what]
    seen = []

    def poisoned(loss, model, batch):
        seen.append(model.watch.batch)
        return poison(loss, model) if batch == at else loss

    with pytest.raises(KpstraError, match=rf"{message} at iteration {at}, batch {at}, of the sequences") as caught:
        train(poisoned)
    batch = seen[at - 1]
    names = ["/".join(name) for name in zip(batch.labels, batch.types, batch.views, strict=True)]
    assert len(names) == 12 and all(f"{name}" in str(caught.value) for name in names)
    assert names[0].split("/")[0] in {"0000", "0001", "0002", "0003"} and "\n" not in str(caught.value)
    assert checkpoints(tmp_path) == list(range(1, at))
    record(KIND, ENDED)


def test_numbers_that_are_merely_large_go_on(train, tmp_path):
    train(lambda loss, model, batch: loss * 1e12, total=2)
    assert checkpoints(tmp_path) == [1, 2]


def test_spoiled_weights_are_not_saved(train, tmp_path, record):
    """Something else than the step spoiled them."""

    def spoil(loss, model, batch):
        if batch == 2:
            model.norm.running_mean.data.fill_(torch.inf)
        return loss

    with pytest.raises(KpstraError, match=r"iteration 2: no checkpoint is written: .*: norm.running_mean"):
        train(spoil)
    assert checkpoints(tmp_path) == [1]
    record(KIND, ENDED)


def test_with_float16_overflowing_steps_are_left_out_and_counted(train, tmp_path, record, caplog):
    """As GradScaler's users expect: the weights stay, the scale halves, the iteration is not counted, training ends."""
    weights = {}

    def overflow(loss, model, batch):
        weights[batch] = model.head.weight.detach().clone()
        return loss * torch.inf if batch in (2, 3, 5) else loss

    model = train(overflow, scaler=True, total=3, change=lambda m: setattr(m.msg_mgr.logger, "propagate", True))
    assert (model.iteration, model.batches, model.watch.skipped, model.watch.in_a_row) == (3, 6, 3, 0)
    assert torch.equal(weights[2], weights[3]) and torch.equal(weights[3], weights[4])
    assert not torch.equal(weights[4], weights[5]) and torch.equal(weights[5], weights[6])
    assert model.Scaler.get_scale() == 2.0**16 / 8
    lines = list(dict.fromkeys(r.message for r in caplog.records if "float16 overflow" in r.message))
    assert [line.partition("step left out, ")[2] for line in lines] == [
        "1 in a row, 1 in all",
        "2 in a row, 2 in all",
        "1 in a row, 3 in all",
    ]
    assert "at iteration 2, batch 2, of the sequences" in lines[0] and "batch 3" in lines[1]
    assert any(b"skipped_steps" in path.read_bytes() for path in tmp_path.rglob("events.*"))
    assert checkpoints(tmp_path) == [1, 2, 3]
    record(KIND, SKIPPED, 3)
    resumed = train(lambda loss, model, batch: loss, scaler=True, total=4, restore_hint=3)
    assert resumed.watch.skipped == 3 and resumed.iteration == 4


def test_a_growing_scale_is_no_overflow(train):
    model = train(
        lambda loss, model, batch: loss, scaler=True, total=3, change=lambda m: m.Scaler.set_growth_interval(2)
    )
    assert model.watch.skipped == 0 and model.Scaler.get_scale() > 2.0**16


def test_with_float16_overflow_without_end_is_an_error(train, tmp_path, record):
    """The host would draw batches for ever."""
    with pytest.raises(
        KpstraError,
        match=rf"float16 overflow \(loss inf, .*iteration 2, batch {MAX_SKIPPED + 1}, of "
        rf".*, {MAX_SKIPPED} in a row; .*enable_float16: false",
    ):
        train(lambda loss, model, batch: loss if batch == 1 else loss * torch.inf, scaler=True)
    assert checkpoints(tmp_path) == [1]
    record(KIND, "float16 overflow 30 times in a row: run ended, last checkpoint whole")


def test_with_float16_spoiled_statistics_end_the_run(train, tmp_path, record):
    """A forward pass that overflows before a batch norm spoils what no skipped step mends."""

    def overflow(loss, model, batch):
        if batch == 2:
            model.norm.running_var.data.fill_(torch.inf)
            return loss * torch.inf
        return loss

    with pytest.raises(KpstraError, match=r"float16 overflow .*batch 2.*running statistics: .*norm.running_var"):
        train(overflow, scaler=True)
    assert checkpoints(tmp_path) == [1]
    record(KIND, ENDED)


def test_features_that_are_no_numbers_are_not_ranked(train, record):
    def spoil(model):
        with torch.no_grad():
            model.head.weight[0, 0] = torch.nan

    with pytest.raises(KpstraError, match=r"test: embeddings of 16 of 16 sequences not finite: 0004/camid0_videoid0/"):
        train(None, phase="test", change=spoil)
    record(KIND, "sequences named, nothing ranked")


def test_the_seed_alone_decides(train, tmp_path):
    """On a CPU two trainings of one seed end bit for bit alike; another seed ends otherwise."""
    states = [train(lambda loss, model, batch: loss, seed=seed).state_dict() for seed in (1, 1, 2)]
    first, again, other = ([value.clone() for value in state.values()] for state in states)
    assert all(map(torch.equal, first, again))
    assert not all(map(torch.equal, first, other))
