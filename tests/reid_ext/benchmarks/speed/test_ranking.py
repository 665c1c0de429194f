"""The ranking benchmark runs, and says what is wrong."""

import json

import pytest

from reid_ext.__main__ import main
from reid_ext.benchmarks.speed import ranking


def test_a_tiny_run(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(ranking, "BATCH", 1)
    file = tmp_path / "rank.json"
    assert main(["bench", "ranking", "--queries", "8", "--gallery", "1000", "--repeats", "1", "--json", str(file)]) == 0
    results = json.loads(file.read_text())["results"]
    assert set(results["ratio"]) == {"median", "min", "max"} and len(results["seconds"]) == 5
    assert "| ranking, ours |" in capsys.readouterr().out


def test_too_few_of_either(capsys):
    assert main(["bench", "ranking", "--queries", "1", "--gallery", "1000", "--repeats", "1"]) == 2
    assert "error: --queries 1 --gallery 1000: no query person is in the gallery" in capsys.readouterr().err


@pytest.mark.parametrize("option", ["--queries", "--gallery", "--repeats"])
def test_wrong_numbers(option, capsys):
    assert main(["bench", "ranking", option, "0"]) == 2
    assert capsys.readouterr().err.startswith(f"reid-ext bench: error: {option}: 0: expected")
