"""Checkpoints of a run: what they hold, how they are found, and what does not fit, told in one line."""

import pytest
import torch
from gait_data import checkpoint, metrics, run, write_data

from opengait_ext.training.checkpoints import checkpoint_files, checkpoint_path, read_checkpoint
from plugins.errors import KpstraError

NAME = "SwinGait2D_KPRPE_small"


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    root = write_data(tmp_path_factory.mktemp("gait"), frames=4)
    run(root, "trainer_cfg.total_iter=2", "trainer_cfg.save_iter=1")
    return root


def test_what_they_hold(data):
    """OpenGait's four entries, and what an exact resumption needs."""
    found = read_checkpoint(str(checkpoint(data, 2)), torch.device("cpu"))
    assert found.keys() == {"model", "optimizer", "scheduler", "iteration", "batches", "skipped", "model_cfg"}
    assert found["model_cfg"]["kprpe"]["grid"] == "window"
    assert (found["iteration"], found["batches"], found["skipped"]) == (2, 2, 0)


def test_they_are_found_by_iteration(data, tmp_path):
    folder = checkpoint(data, 2).parents[1]
    assert checkpoint_files(folder, NAME) == {i: checkpoint_path(folder, NAME, i) for i in (2, 1)}
    assert list(checkpoint_files(folder, NAME)) == [2, 1]
    assert checkpoint_files(folder, "SwinGait2D_KPRPE") == checkpoint_files(tmp_path, NAME) == {}


def test_a_test_takes_the_checkpoint_s_number_of_classes(data):
    """Features do not use the classifier."""
    test = ("--phase", "test", "--iter", "2")
    same = metrics(run(data, *test))
    assert metrics(run(data, *test, "model_cfg.SeparateBNNecks.class_num=77")) == same and len(same) == 5


def test_settings_that_change_what_weights_of_the_same_shape_mean_are_refused(data):
    test = ("--phase", "test", "--iter", "2", "model_cfg.kprpe.grid=image", "model_cfg.kprpe.formulation=static")
    errors = run(data, *test, expect=2).stderr
    assert (
        "SwinGait2D_KPRPE_small-00002.pt: was begun with model_cfg.kprpe.formulation 'multihead', not 'static'; "
        "model_cfg.kprpe.grid 'window', not 'image'; give the same settings" in errors
    )
    assert len(metrics(run(data, *test, "evaluator_cfg.restore_ckpt_strict=false"))) == 5


def test_what_does_not_fit_is_told_in_one_line(data):
    errors = run(data, "--phase", "test", "--iter", "2", "model_cfg.kprpe.num_keypoints=16", expect=2).stderr
    (line,) = [line for line in errors.splitlines() if "error" in line]
    assert "not a checkpoint of SwinGait2DKPRPE with these settings: " in line and "of another shape (" in line
    assert line.endswith("evaluator_cfg.restore_ckpt_strict: false takes over what fits") and "missing" not in line


def test_a_warm_start_from_several_checkpoints(data, tmp_path):
    """As OpenGait's GaitEdge takes one for each of its networks."""
    whole = torch.load(checkpoint(data, 2))
    halves = {part: {k: v for k, v in whole["model"].items() if ("transformer" in k) == part} for part in (True, False)}
    for part, weights in halves.items():
        torch.save({"model": weights}, tmp_path / f"{part}.pt")
    hints = f"trainer_cfg.restore_hint=[{tmp_path}/True.pt, {tmp_path}/False.pt]"
    options = "trainer_cfg.total_iter=1", "trainer_cfg.restore_ckpt_strict=false", "trainer_cfg.save_name=warm"
    said = run(data, hints, *options).stderr
    for part, weights in halves.items():
        assert f"{part}.pt: {len(weights)} of the model's " in said
    assert "no such checkpoint" in run(data, hints.replace("True", "Neither"), *options, expect=2).stderr


@pytest.mark.parametrize(
    ("content", "message"),
    [({"weights": {}}, "it has no `model`"), ({"model": [1]}, "it has no `model`"), ([1], "holds a list")],
)
def test_other_files(tmp_path, content, message):
    path = tmp_path / "x.pt"
    torch.save(content, path)
    with pytest.raises(KpstraError, match=message):
        read_checkpoint(str(path), torch.device("cpu"))
