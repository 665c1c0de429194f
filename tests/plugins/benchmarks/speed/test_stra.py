"""The StRA benchmark: a tiny run, the comparison before timing, the command line."""

import json

import pytest
import torch

from plugins.__main__ import main
from plugins.benchmarks.speed import stra
from plugins.errors import KpstraError


@pytest.fixture
def tiny(monkeypatch):
    monkeypatch.setattr(stra, "SHAPES", {"tiny": stra.Shape(32, 4, 5, 4, 2)})


def test_a_tiny_run(tiny, tmp_path, capsys):
    file = tmp_path / "b.json"
    assert main(["bench", "stra", "--repeats", "2", "--device", "cpu", "--json", str(file)]) == 0
    written = json.loads(file.read_text())
    result = written["results"]["tiny"]
    assert written["setting"]["torch"] == torch.__version__ and result["shape"]["channels"] == 32
    for phase in ("forward", "train step"):
        assert set(result[phase]) == {stra.NAIVE, stra.OURS} and result[phase][stra.NAIVE]["median"] == 1
    assert result["saved bytes"][stra.OURS] < result["saved bytes"][stra.NAIVE]
    assert capsys.readouterr().out.count("| tiny |") == 1


def test_unknown_shapes_are_named(tiny, capsys):
    assert main(["bench", "stra", "--shapes", "tinny"]) == 2
    assert "did you mean 'tiny'" in capsys.readouterr().err


def test_unequal_outputs_are_not_timed():
    attentions = [stra.StRAttention(16, 4) for _ in range(2)]
    with pytest.raises(KpstraError, match="nothing is timed"):
        stra.check_equal(*attentions, torch.randn(2, 16, 5, 4))
