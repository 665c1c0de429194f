"""The demo end to end, shortened."""

import re

import pytest

from reid_ext.__main__ import main
from reid_ext.models import backbones


@pytest.fixture(autouse=True)
def _shallow(monkeypatch):
    monkeypatch.setitem(backbones.BACKBONES, "vit_tiny_patch16", ("vit_tiny_patch16_224", {"depth": 2}))


def test_the_demo_prints_what_the_engine_measured(tmp_path, capsys, monkeypatch, market_root):
    monkeypatch.chdir(market_root.parents[2])
    short = ["train.max_epoch", "1", "data.height", "64", "data.width", "32", "use_gpu", "False", "test.ranks=[1, 2]"]
    assert main(["demo", "--output", str(tmp_path), *short]) == 0
    out = capsys.readouterr().out
    measured = re.findall(r"^market1501 +(\S+)", out, re.MULTILINE)
    stra, kprpe = out.partition("== StRA")[2].split("== KP-RPE")
    assert len(measured) == 2
    for value, said in zip(measured, (stra, kprpe), strict=True):
        assert re.search(rf"^   mAP {value}, Rank-1 \S+, Rank-2 \S+%$", said, re.MULTILINE)
    assert main(["demo", "--output", str(tmp_path), *short]) == 0  # a second time, it shows what is there
    again = capsys.readouterr().out
    assert "1 of 1 epochs" in again and "Start training" not in again and again.endswith(out.rpartition("== StRA")[2])
    for picture in ("modes.png", "distribution.png", "kprpe/joints.png", "kprpe/bias.png"):
        assert (tmp_path / picture).read_bytes().startswith(b"\x89PNG")


@pytest.mark.slow
def test_outside_a_checkout_it_renders_walkers(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    short = ["train.max_epoch", "1", "data.height", "64", "data.width", "32", "use_gpu", "False"]
    assert main(["demo", "--output", "out", *short]) == 0
    out = capsys.readouterr().out
    assert "tests/data/pets-mini: not here" in out and "trained from scratch on 48 crops for 1 epochs" in out
    assert "KP-RPE in torchreid: vit_tiny_patch16_kprpe, trained from scratch on 48 crops" in out
    assert (tmp_path / "out" / "modes.png").is_file() and (tmp_path / "out" / "kprpe" / "bias.png").is_file()
