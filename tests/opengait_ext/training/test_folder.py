"""Output folders: other settings are refused, the same ones are told what is there, --resume takes the last whole."""

import json
import re

import pytest
import torch
from gait_data import checkpoint, run, write_data

from opengait_ext.host.find import find_host
from opengait_ext.settings.load import default_values
from opengait_ext.training.folder import go_on, training_folder
from opengait_ext.training.numerics import AGAIN
from opengait_ext.training.record import TrainingRecord
from opengait_ext.training.session import process_group
from plugins.errors import KpstraError

SHORT = ("trainer_cfg.total_iter=2", "trainer_cfg.save_iter=1")


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    root = write_data(tmp_path_factory.mktemp("gait"), frames=4)
    run(root, *SHORT)
    return root


def weights(path):
    return torch.load(path, weights_only=True)["model"]


def same(a, b):
    return all(torch.equal(value, b[name]) for name, value in a.items())


def test_other_settings_are_refused(data):
    """By name, with both values, and nothing is overwritten."""
    before = weights(checkpoint(data, 1))
    errors = run(data, *SHORT, "optimizer_cfg.lr=0.5", "trainer_cfg.seed=7", expect=2).stderr
    assert "was begun with optimizer_cfg.lr 0.001, not 0.5; trainer_cfg.seed 0, not 7" in errors
    assert "trainer_cfg.save_name SwinGait2D_KPRPE_small" in errors and len(errors.splitlines()) == 1
    assert same(before, weights(checkpoint(data, 1)))


def test_the_advice_at_a_loss_that_is_not_finite_is_taken(data):
    """A run of another name begins with the checkpoint's weights and the lower rate."""
    values = {"save_name": "lower", "restore_hint": checkpoint(data, 1)}
    advice = re.findall(r"(trainer_cfg\.(\w+))=(\S+)", AGAIN)
    given = [f"{key}={values.get(name, value)}" for key, name, value in advice]
    run(data, "trainer_cfg.total_iter=1", "optimizer_cfg.lr=0.0001", *given)
    began, ended = (
        torch.load(path, weights_only=True) for path in (checkpoint(data, 1), checkpoint(data, 1, name="lower"))
    )
    assert [group["lr"] for group in ended["optimizer"]["param_groups"][:2]] == [0.0001] * 2
    name = "transformer.layers.0.blocks.0.attn.qkv.weight"
    moved = (ended["model"][name] - began["model"][name]).abs().max().item()
    assert 0 < moved < 0.00015  # one step of AdamW


def test_another_training_set_is_other_settings(data, tmp_path):
    partition = json.loads((data / "partition.json").read_text())
    partition["TRAIN_SET"] = partition["TRAIN_SET"][:3]
    (tmp_path / "partition.json").write_text(json.dumps(partition))
    errors = run(data, *SHORT, f"data_cfg.dataset_partition={tmp_path / 'partition.json'}", expect=2).stderr
    assert "data_cfg.dataset_partition 'partition.json (sha256" in errors


def test_the_same_settings_are_told_what_is_there(data):
    """Settings that say where, how often and how far may differ; --resume goes on with the run that was begun last."""
    earlier = weights(checkpoint(data, 2))
    warm = f"trainer_cfg.restore_hint={checkpoint(data, 1)}"
    done = run(
        data,
        "trainer_cfg.total_iter=1",
        "trainer_cfg.save_iter=5",
        "data_cfg.num_workers=1",
        "data_cfg.pretreatment=host",
        warm,
    )
    assert "checkpoints of these settings up to iteration 2 are there" in done.stderr and "--resume" in done.stderr
    tested = run(data, "--phase", "test", "--iter", "2")
    assert "00002.pt: of an earlier run: one that began anew in this folder has not reached it" in tested.stderr
    done = run(data, *SHORT, warm, "--resume")
    assert "00002.pt: of an earlier run, and not yet replaced by this one" in done.stderr
    assert "--resume: goes on from iteration 1 of 2" in done.stderr
    assert not same(earlier, weights(checkpoint(data, 2)))


@pytest.mark.slow
def test_resume_takes_the_last_whole_checkpoint(data):
    """A damaged one is left aside by name; the end is bit for bit that of a run that was never interrupted."""
    run(data, "trainer_cfg.total_iter=3", "trainer_cfg.save_iter=1", workdir="whole")
    run(data, *SHORT, workdir="broken")
    damaged = checkpoint(data, 2, workdir="broken")
    damaged.write_bytes(damaged.read_bytes()[:-200])
    done = run(data, "trainer_cfg.total_iter=3", "trainer_cfg.save_iter=1", "--resume", workdir="broken")
    assert f"left aside: {damaged.relative_to(data / 'broken')}" in done.stderr
    assert "--resume: goes on from iteration 1 of 3" in done.stderr
    assert same(weights(checkpoint(data, 3, workdir="broken")), weights(checkpoint(data, 3, workdir="whole")))
    done = run(data, "trainer_cfg.total_iter=3", "trainer_cfg.save_iter=1", "--resume", workdir="broken")
    assert "Nothing to train: iteration 3 of 3" in done.stderr


def test_a_run_begun_anew_has_no_checkpoint_yet(tmp_path, settings):
    """Interrupted before its first, it begins again; without a record, the last one is the run's."""
    folder = tmp_path / "output" / "Gait3D" / "M" / "run"
    (folder / "checkpoints").mkdir(parents=True)
    torch.save({"model": {}}, folder / "checkpoints" / "run-00040.pt")
    settings["trainer_cfg"]["total_iter"] = 40
    assert go_on(settings) == ["--resume: goes on from iteration 40 of 40"]
    with process_group("cpu"):
        record = TrainingRecord(folder, 40, goes_on=False)
        record.begin([40])
        found = go_on(settings)
        assert len(found) == 2 and "run-00040.pt: of an earlier run" in found[0] and "no checkpoint yet" in found[1]
        torch.save({"model": {}}, folder / "checkpoints" / "run-00010.pt")  # killed before it is recorded
        assert go_on(settings)[1] == "--resume: goes on from iteration 10 of 40"
        TrainingRecord(folder, 40, goes_on=True).write(20, folder / "checkpoints" / "run-00020.pt")
        assert len(go_on(settings)) == 2
        TrainingRecord(folder, 40, goes_on=True).write(40, folder / "checkpoints" / "run-00040.pt")
        assert go_on(settings) == ["--resume: goes on from iteration 40 of 40"]


@pytest.mark.slow
def test_resume_without_a_checkpoint_begins(data):
    done = run(data, "trainer_cfg.total_iter=1", "--resume", workdir="fresh")
    assert "--resume: no checkpoint yet" in done.stderr and checkpoint(data, 1, workdir="fresh").is_file()


@pytest.mark.slow
def test_checkpoints_of_unknown_settings_are_not_overwritten(data):
    run(data, "trainer_cfg.total_iter=1", workdir="unknown")
    path = checkpoint(data, 1, workdir="unknown")
    (path.parents[1] / "settings.json").unlink()
    assert "settings are not known" in run(data, "trainer_cfg.total_iter=1", workdir="unknown", expect=2).stderr
    run(data, "trainer_cfg.total_iter=2", "--resume", workdir="unknown")


def test_a_failed_start_binds_nobody(data):
    run(data, *SHORT, "loss_cfg.0.log_prefix=triplets", workdir="failed", expect=2)
    run(data, "trainer_cfg.total_iter=1", workdir="failed")


@pytest.fixture
def settings(tmp_path, monkeypatch):
    """Settings of a run in an empty working directory."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "partition.json").write_text("{}")
    data = {"dataset_name": "Gait3D", "dataset_partition": "partition.json"}
    kprpe = {"num_keypoints": 17}
    return {"data_cfg": data, "model_cfg": {"model": "M", "kprpe": kprpe}, "trainer_cfg": {"save_name": "run"}}


def save(tmp_path):
    path = tmp_path / "output" / "Gait3D" / "M" / "run" / "checkpoints" / "run-00001.pt"
    path.parent.mkdir(parents=True)
    path.write_text("")


def test_a_run_without_a_checkpoint_leaves_its_folder_to_others(tmp_path, settings):
    """But not while it is at it."""
    other = {**settings, "optimizer_cfg": {"lr": 0.1}}
    with training_folder(settings, {}, goes_on=False):
        with pytest.raises(KpstraError, match="another run"), training_folder(other, {}, goes_on=False):
            pytest.fail("entered")
        assert (tmp_path / "output" / "Gait3D" / "M" / "run" / "settings.json").exists()
    with training_folder(other, {}, goes_on=False):
        save(tmp_path)
    message = "begun with optimizer_cfg.lr 0.1, not unset"
    with pytest.raises(KpstraError, match=message), training_folder(settings, {}, goes_on=True):
        pytest.fail("entered")


def test_a_run_from_before_a_setting_goes_on(tmp_path, settings):
    """A key of a newer default.yaml, or of ours, that has its default."""
    defaults = default_values(find_host("embedded"))
    with training_folder(settings, defaults, goes_on=False):
        save(tmp_path)
    settings["trainer_cfg"] |= {"find_unused_parameters": False, "enable_bfloat16": False}
    settings["model_cfg"]["kprpe"] |= {"mode": "replace", "grid": None}
    with training_folder(settings, defaults, goes_on=True):
        pass
    settings["model_cfg"]["kprpe"] |= {"mode": "add"}
    message = "begun with model_cfg.kprpe.mode unset, not 'add'; give"
    with pytest.raises(KpstraError, match=message), training_folder(settings, defaults, goes_on=True):
        pytest.fail("entered")


@pytest.mark.parametrize("more", [("--iter", "1"), ("--phase", "test")])
def test_resume_goes_with_neither_iter_nor_test(data, more):
    assert "--resume: goes on with training" in run(data, "--resume", *more, expect=2).stderr
