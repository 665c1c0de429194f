"""`python -m reid_ext` on the shipped pedestrians: train, test, resume after a kill, and mistakes."""

import re
import shutil
import signal
import subprocess
import sys

import programs
import pytest
import torch
from reid_data import arguments

from reid_ext.__main__ import main


def stopped_at(line_start, sent, root, save_dir, *opts):
    """Run the command line, send it the signal when a line starts so, and return how it ended."""
    command = ("-m", "reid_ext", *arguments(root, save_dir, *opts))
    return programs.server("reid_ext").run(*command, when=f"\n{line_start}", sent=sent)


def test_trains_evaluates_and_tests(market_root, tmp_path, capsys):
    assert main(arguments(market_root, tmp_path / "log", "train.max_epoch", "1")) == 0
    out = capsys.readouterr().out
    assert re.search(r"loss_d \d+\.\d+", out) and "model.pth.tar-1" in out
    assert re.search(r"^market1501 +[\d.]+%", out, re.M)
    assert list((tmp_path / "log").glob("events.out.tfevents.*"))
    assert list((tmp_path / "log").glob("train.log-*"))
    weights = tmp_path / "log" / "model" / "model.pth.tar-1"
    test = ["test.evaluate", "True", "test.visrank", "True", "model.load_weights", str(weights)]
    assert main(arguments(market_root, tmp_path / "test", *test)) == 0
    tested = capsys.readouterr().out
    assert re.findall(r"^market1501.*%", tested, re.M) == re.findall(r"^market1501.*%", out, re.M)
    assert len(list((tmp_path / "test" / "visrank_market1501").iterdir())) == 15


@pytest.mark.slow
def test_triplet_loss_with_the_identity_sampler(market_root, tmp_path, capsys):
    triplet = ["loss.name", "triplet", "loss.triplet.weight_x", "1.0", "sampler.train_sampler", "RandomIdentitySampler"]
    assert main(arguments(market_root, tmp_path, "train.max_epoch", "1", "train.batch_size", "16", *triplet)) == 0
    assert re.search(r"loss_t .*loss_x .*loss_d ", capsys.readouterr().out)


@pytest.mark.slow
def test_a_killed_run_resumes_to_the_weights_of_an_uninterrupted_one(market_root, tmp_path):
    epochs = ["train.max_epoch", "3", "train.batch_size", "32", "data.transforms", "['random_flip', 'random_erase']"]
    assert main(arguments(market_root, tmp_path / "whole", *epochs)) == 0
    killed = tmp_path / "killed"
    assert stopped_at("epoch: [2/3][3/", signal.SIGKILL, market_root, killed, *epochs).killed
    assert [path.name for path in (killed / "model").glob("model*")] == ["model.pth.tar-1"]
    # evaluating in between, as the uninterrupted run did not, must not change what follows
    go_on = ["model.resume", str(killed / "model" / "model.pth.tar-1"), "test.eval_freq", "1"]
    assert main(arguments(market_root, killed, *epochs, *go_on)) == 0
    whole, resumed = (torch.load(tmp_path / run / "model" / "model.pth.tar-3") for run in ("whole", "killed"))
    assert whole["rank1"] == resumed["rank1"]
    for key, value in whole["state_dict"].items():
        assert torch.equal(value, resumed["state_dict"][key]), key


def test_interrupting_says_how_to_go_on(market_root, tmp_path):
    ended = stopped_at("epoch: [2/50][2/", signal.SIGINT, market_root, tmp_path, "train.max_epoch", "50")
    assert ended.returncode == 130
    assert f"`model.resume {tmp_path}/model/model.pth.tar-1`" in ended.stderr
    assert "Traceback" not in ended.said


def test_resuming_a_finished_run_overwrites_nothing(market_root, tmp_path, capsys):
    assert main(arguments(market_root, tmp_path, "train.max_epoch", "1")) == 0
    saved = tmp_path / "model" / "model.pth.tar-1"
    before = saved.stat().st_mtime_ns
    assert main(arguments(market_root, tmp_path, "train.max_epoch", "1", "model.resume", str(saved))) == 2
    assert "1 epochs are already done" in capsys.readouterr().err
    assert saved.stat().st_mtime_ns == before


def test_standard_output_is_given_back(market_root, tmp_path):
    stdout = sys.stdout
    chance = ["test.evaluate", "True", "model.partial_weights", "True"]
    assert main(arguments(market_root, tmp_path, *chance)) == 0
    assert sys.stdout is stdout
    assert not stdout.closed
    assert "mAP:" in next(tmp_path.glob("test.log-*")).read_text()


@pytest.mark.parametrize(
    ("opts", "message"),
    [
        (["train.lrr", "1"], "did you mean 'train.lr'"),
        (["model.name", "resnet50_strra"], "model.name: 'resnet50_strra' is not one of"),
        (["data.root", "/nonexistent"], "Market-1501-v15.09.15"),
        (["model.resume", "/nonexistent"], "/nonexistent: no such checkpoint file"),
        (["train.batch_size", "500"], "train.batch_size: 500"),
        (["train.fixbase_epoch", "2", "train.open_layers", "['layer4']"], "train.open_layers"),
        (["model.name", "mobilenetv2_x1_4_stra", "model.pretrained", "True"], "cannot be downloaded by a program"),
        (["stra.pretrained_path", "/nonexistent.pth"], "/nonexistent.pth: no such checkpoint file"),
        (["test.evaluate", "True", "--resume"], "--resume goes on with a training; leave one of them out"),
    ],
)
def test_mistakes_are_one_message_and_leave_nothing_behind(market_root, tmp_path, capsys, opts, message):
    assert main(arguments(market_root, tmp_path / "log", *opts)) == 2
    errors = capsys.readouterr().err
    assert errors.startswith("reid-ext: error: ") and message in errors and "Traceback" not in errors
    assert not (tmp_path / "log").exists()


@pytest.fixture
def small_gallery(market_root, tmp_path):
    """The shipped crops with 3 gallery images of each person and camera."""
    shutil.copytree(market_root / "market1501", tmp_path / "data" / "market1501")
    folder = tmp_path / "data" / "market1501" / "Market-1501-v15.09.15"
    kept = {}
    for image in sorted((folder / "bounding_box_test").iterdir()):
        view = kept.setdefault(image.name.split("s")[0], [])
        view.append(image)
        if len(view) > 3:
            image.unlink()
    return folder


def test_a_small_gallery_of_unequal_views_is_ranked(small_gallery, tmp_path, capsys):
    query = next((small_gallery / "query").iterdir())  # its own view in the gallery does not count for it
    shutil.copy(query, small_gallery / "bounding_box_test" / query.name)
    size = len(list((small_gallery / "bounding_box_test").iterdir()))
    assert 20 < size < 50
    opts = ["test.ranks", f"[1, 10, {size + 1}]", "test.evaluate", "True", "model.partial_weights", "True"]
    assert main(arguments(tmp_path / "data", tmp_path / "log", *opts)) == 0
    out = capsys.readouterr().out
    assert re.search(r"^market1501 +[\d.]+% +[\d.]+% +[\d.]+% +100.0%$", out, re.M)
    assert f"may have only {size - 1} gallery images; rank {size + 1} says little" in out


def test_the_module_runs_as_a_command():
    result = subprocess.run([sys.executable, "-m", "reid_ext", "--help"], capture_output=True, text=True)
    assert result.returncode == 0
    assert "--config-file" in result.stdout and "leaderboard" in result.stdout
