"""The demo end to end, shortened, and reading results back."""

import re

import pytest

from plugins.errors import KpstraError
from reid_ext.__main__ import main
from reid_ext.training.results import read_results


def test_the_demo_prints_what_the_engine_measured(tmp_path, capsys, monkeypatch, market_root):
    monkeypatch.chdir(market_root.parents[2])
    short = ["train.max_epoch", "1", "data.height", "64", "data.width", "32", "use_gpu", "False"]
    assert main(["demo", "--output", str(tmp_path), *short]) == 0
    out = capsys.readouterr().out
    measured = re.search(r"^mAP: (\S+)$", out, re.MULTILINE)[1]
    assert f"mAP {measured}, Rank-1 " in out.rpartition("== StRA")[2]
    assert (tmp_path / "modes.png").is_file() and (tmp_path / "distribution.png").is_file()


def test_outside_a_checkout_it_says_so(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["demo"]) == 2
    assert "the demo runs from the top folder" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_results_come_from_the_newest_finished_evaluation(tmp_path):
    with pytest.raises(KpstraError, match=r"no train\.log"):
        read_results(tmp_path)
    log = tmp_path / "train.log-2026"
    log.write_text("=> Start training\n")
    with pytest.raises(KpstraError, match="no finished evaluation"):
        read_results(tmp_path)
    log.write_text("** Results **\nmAP: 1.0%\nRank-1  : 2.0%\n** Results **\nmAP: 53.5%\nCMC curve\nRank-1  : 60.0%\n")
    assert read_results(tmp_path) == {"mAP": 0.535, "Rank-1": 0.6}
