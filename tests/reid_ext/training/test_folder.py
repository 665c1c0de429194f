"""A training never writes over another one's checkpoints; `--resume` goes on from the latest whole one."""

import json
import os
import re
import shutil
from itertools import count

import pytest
import torch
from reid_data import arguments
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from plugins.errors import KpstraError
from reid_ext.__main__ import main
from reid_ext.settings.evaluation import evaluation_settings
from reid_ext.settings.load import load_config
from reid_ext.training.engines import SoftmaxEngine
from reid_ext.training.folder import claimed, found_text, require_begun_with, results_of
from reid_ext.training.numerics import AGAIN
from reid_ext.training.results import Results
from reid_ext.training.run import prepare


@pytest.fixture(scope="module")
def finished(request, tmp_path_factory):
    """One epoch of a run, tested."""
    folder = tmp_path_factory.mktemp("run")
    root = request.config.rootpath / "tests" / "data" / "pets-mini"
    assert main(arguments(root, folder, "train.max_epoch", "1")) == 0
    return root, folder


@pytest.mark.parametrize(
    ("opts", "message"),
    [
        ([], "holds 1 of 1 epochs of a run with these settings, finished and tested; add --resume"),
        (["train.lr", "0.1"], "was begun with train.lr 0.0003, not 0.1"),
        (["model.name", "osnet_x0_25", "--resume"], "model.name 'mobilenetv2_x1_0_stra', not 'osnet_x0_25'"),
    ],
)
def test_what_is_there_is_not_written_over(finished, capsys, opts, message):
    root, folder = finished
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    assert main(arguments(root, folder, "train.max_epoch", "1", *opts)) == 2
    assert message in capsys.readouterr().err
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.name != ".lock"}.items() <= {
        path: path.stat().st_mtime_ns for path in before if path.exists()
    }.items()


def test_resume_of_a_finished_run_says_what_it_measured(finished, capsys):
    root, folder = finished
    assert main(arguments(root, folder, "train.max_epoch", "1", "--resume")) == 0
    out = capsys.readouterr().out
    assert "holds 1 of 1 epochs" in out and "\nmarket1501 " in out and "Training on" not in out


def test_a_checkpoint_is_not_tested_as_another_network(finished, tmp_path, capsys):
    """One with the same tensors, unless it is asked for."""
    root, folder = finished
    path = str(folder / "model" / "model.pth.tar-1")
    assert torch.load(path, weights_only=True)["settings"] == {"model.name": "mobilenetv2_x1_0_stra"}
    test = ["test.evaluate", "True", "model.load_weights", path, "stra.gate", "softmax"]
    assert main(arguments(root, tmp_path, *test)) == 2
    told = f"model.load_weights: {path}: was begun with stra.gate 'sigmoid', not 'softmax'; "
    err = capsys.readouterr().err
    assert told in err and err.endswith(" (model.partial_weights True tests it all the same)\n")
    given = arguments(root, tmp_path, *test, "model.partial_weights", "True")
    assert prepare(load_config(opts=given[2:], root=str(root))).model.conv7[1].stra.mode.gate == "softmax"


def test_a_run_whose_loss_was_not_finite_goes_on_as_it_is_told(finished, tmp_path):
    """Not in the same folder, and not with the optimiser's old rate."""
    root, folder = finished
    path = folder / "model" / "model.pth.tar-1"
    told = {"data.save_dir": str(tmp_path), "train.lr": "0.0001", "model.load_weights": str(path)}
    assert set(re.findall(r"[a-z]+\.[a-z_]+", AGAIN)) == told.keys()
    cfg = load_config(
        opts=[*arguments(root, folder)[2:], *(word for pair in told.items() for word in pair)], root=str(root)
    )
    engine = prepare(cfg)
    with claimed(cfg):
        assert cfg.train.start_epoch == 0 and {group["lr"] for group in engine.optimizer.param_groups} == {1e-4}
        saved = torch.load(path, weights_only=True)["state_dict"]
        torch.testing.assert_close(engine.model.state_dict(), saved)


def test_a_run_killed_in_its_last_test_is_tested(finished, tmp_path, capsys):
    """What its first epochs had reached is not what it measured."""
    root, folder = finished
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    state = torch.load(tmp_path / "model" / "model.pth.tar-1", weights_only=True)
    torch.save({**state, "epoch": 2}, tmp_path / "model" / "model.pth.tar-2")

    def resumed():
        assert main(arguments(root, tmp_path, "train.max_epoch", "2", "--resume")) == 0
        return capsys.readouterr().out

    out = resumed()
    assert "finished and tested" not in out and f"Results: {tmp_path / 'test.results.json'}" in out
    written = json.loads((tmp_path / "test.results.json").read_text())
    assert (written["checkpoint"], written["checkpoint_epoch"]) == ("model/model.pth.tar-2", 2)
    assert written["settings"]["test.ranks"] == [1, 5, 10, 20]
    again = resumed()
    assert "2 of 2 epochs of a run with these settings, finished and tested" in again and "Results: " not in again
    assert main(arguments(root, tmp_path, "train.max_epoch", "3")) == 2
    assert "holds 2 of 3 epochs of a run with these settings; add --resume" in capsys.readouterr().err


@pytest.fixture
def two_epochs(tmp_path):
    """The folder of a run of two epochs, its settings, and a function that writes results there, each later."""
    cfg, ticks = load_config(opts=("data.save_dir", str(tmp_path), "train.max_epoch", "2")), count()
    with claimed(cfg):
        for epoch in (1, 2):
            (tmp_path / "model" / f"model.pth.tar-{epoch}").write_text("")

    def write(value, epoch=None, target="market1501", **more):
        path = Results({target: {"mAP": value}}, epoch=epoch, **more).write(tmp_path)
        os.utime(path, (next(ticks),) * 2)

    return cfg, write


def test_results_of_other_checkpoints_and_settings_are_no_results_of_a_run(two_epochs):
    cfg, write = two_epochs
    last, usual = "model/model.pth.tar-2", evaluation_settings(cfg)
    write(0.1, 2, checkpoint=last, checkpoint_epoch=2, settings=usual)
    assert results_of(cfg, 2).metrics == {"market1501": {"mAP": 0.1}} and results_of(cfg, 1) is None
    assert found_text(cfg).endswith("these settings, finished and tested")
    for more in (
        {"checkpoint": "model/model.pth.tar-1", "checkpoint_epoch": 1, "settings": usual},
        {"checkpoint": last, "checkpoint_epoch": 2, "settings": {**usual, "data.height": 128}},
        {"checkpoint": last, "checkpoint_epoch": 2, "settings": usual, "target": "dukemtmcreid"},
        {},  # of before
    ):
        write(0.2, **more)
        assert results_of(cfg, 2).metrics["market1501"]["mAP"] == 0.1
    write(0.3, checkpoint=last, checkpoint_epoch=2, settings={**usual, "test.visrank": True})
    assert results_of(cfg, 2).metrics["market1501"]["mAP"] == 0.3
    cfg.data.targets = ["dukemtmcreid"]
    assert results_of(cfg, 2) is None and found_text(cfg).endswith("these settings")


def test_results_of_a_training_from_before_they_named_their_checkpoint(two_epochs):
    cfg, write = two_epochs
    write(0.1, 1)
    assert results_of(cfg, 2) is None
    write(0.2, 2)
    assert results_of(cfg, 2).metrics["market1501"]["mAP"] == 0.2
    cfg.test.dist_metric = "cosine"
    assert results_of(cfg, 2) is None


@pytest.mark.slow
def test_resume_passes_over_a_damaged_checkpoint(finished, tmp_path, capsys):
    root, folder = finished
    model = tmp_path / "model"
    model.mkdir()
    for name in ("settings.json", "model.pth.tar-1"):
        (model / name).write_bytes((folder / "model" / name).read_bytes())
    (model / "model.pth.tar-2").write_bytes(b"cut short")
    assert main(arguments(root, tmp_path, "train.max_epoch", "2", "train.batch_size", "32", "--resume")) == 0
    out = capsys.readouterr().out
    assert "Passed over" in out and "after 1 epochs" in out
    assert torch.load(model / "model.pth.tar-2", weights_only=True)["epoch"] == 2


def test_a_refused_run_leaves_its_folder_to_others(tmp_path):
    """Without a checkpoint."""
    save = ("data.save_dir", str(tmp_path))
    wrong, mended = (load_config(opts=(*save, "train.batch_size", size)) for size in ("1", "32"))
    with pytest.raises(KpstraError, match="batch"), claimed(wrong):
        raise KpstraError("batch norm")
    with claimed(mended):
        (tmp_path / "model" / "model.pth.tar-1").write_text("")
    mended.model.resume = wrong.model.resume = "model.pth.tar-1"
    with claimed(mended):
        pass
    with pytest.raises(KpstraError, match=r"train.batch_size 32, not 1; give"), claimed(wrong):
        pytest.fail("entered")


def test_weights_that_a_run_began_from_need_not_be_named_again(tmp_path):
    """A leaderboard's row with a warm start names them once; other ones are refused."""
    save = ("data.save_dir", str(tmp_path))
    begun, other, gone_on = (
        load_config(opts=(*save, "model.load_weights", path)) for path in ("trunk.pth", "other.pth", "")
    )
    with claimed(begun):
        (tmp_path / "model" / "model.pth.tar-1").write_text("")
    other.model.resume = gone_on.model.resume = "model.pth.tar-1"
    with claimed(gone_on):
        require_begun_with(gone_on)
    with pytest.raises(KpstraError, match=r"model.load_weights 'trunk.pth', not 'other.pth'"), claimed(other):
        pytest.fail("entered")


def test_a_run_from_before_a_setting_goes_on(tmp_path):
    """As an update of this package finds it; a value that is not the default is a difference."""
    opts = ("data.save_dir", str(tmp_path), "model.resume", "model.pth.tar-1", "data.transforms", "['random_affine']")
    with claimed(load_config(opts=opts)):
        (tmp_path / "model" / "model.pth.tar-1").write_text("")
    path = tmp_path / "model" / "settings.json"
    begun = json.loads(path.read_text())
    del begun["data"]["affine"], begun["train"]["warmup_epoch"]
    path.write_text(json.dumps(begun))
    now = load_config(opts=opts)
    require_begun_with(now)
    with claimed(now):
        pass
    now.data.affine.degrees = 10.0
    with pytest.raises(KpstraError, match=r"begun with data.affine.degrees unset, not 10.0; give"):
        require_begun_with(now)


def test_checkpoints_of_unknown_settings(finished, tmp_path, capsys):
    root, folder = finished
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "model.pth.tar-1").write_bytes((folder / "model" / "model.pth.tar-1").read_bytes())
    assert main(arguments(root, tmp_path, "train.max_epoch", "1")) == 2
    assert "a run whose settings are unknown" in capsys.readouterr().err


def test_the_last_scalars_are_there_when_a_run_ends_with_an_error(market_root, tmp_path, monkeypatch):
    """The host closes its writer at a good end only."""

    def stop(self, *args, **kwargs):
        raise KpstraError("stopped")

    monkeypatch.setattr(SoftmaxEngine, "test", stop)
    opts = ["train.max_epoch", "1", "model.name", "osnet_x0_25"]
    assert main(arguments(market_root, tmp_path, *opts)) == 2
    events = EventAccumulator(str(tmp_path)).Reload()
    assert [event.step for event in events.Scalars("Train/loss")] == [0, 1, 2, 3]
