"""The demo end to end, shortened."""

import re

import pytest

from reid_ext.__main__ import main


def test_the_demo_prints_what_the_engine_measured(tmp_path, capsys, monkeypatch, market_root):
    monkeypatch.chdir(market_root.parents[2])
    short = ["train.max_epoch", "1", "data.height", "64", "data.width", "32", "use_gpu", "False"]
    assert main(["demo", "--output", str(tmp_path), *short]) == 0
    out = capsys.readouterr().out
    measured = re.search(r"^market1501 +(\S+)", out, re.MULTILINE)[1]
    assert f"mAP {measured}, Rank-1 " in out.rpartition("== StRA")[2]
    assert main(["demo", "--output", str(tmp_path), *short]) == 0  # a second time, it shows what is there
    again = capsys.readouterr().out
    assert "1 of 1 epochs" in again and "Start training" not in again and again.endswith(out.rpartition("== StRA")[2])
    assert (tmp_path / "modes.png").is_file() and (tmp_path / "distribution.png").is_file()


@pytest.mark.slow
def test_outside_a_checkout_it_renders_walkers(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    short = ["train.max_epoch", "1", "data.height", "64", "data.width", "32", "use_gpu", "False"]
    assert main(["demo", "--output", "out", *short]) == 0
    out = capsys.readouterr().out
    assert "tests/data/pets-mini: not here" in out and "trained from scratch on 48 crops for 1 epochs" in out
    assert (tmp_path / "out" / "modes.png").is_file()
