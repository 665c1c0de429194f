"""The benchmark of torchreid's networks with StRA."""

import json

import pytest

from reid_ext.__main__ import main
from reid_ext.benchmarks.speed import networks as bench


@pytest.mark.slow
def test_a_tiny_run(tmp_path, capsys):
    file = tmp_path / "b.json"
    arguments = ["--batch", "2", "--size", "64", "32", "--repeats", "1", "--device", "cpu", "--json", str(file)]
    assert main(["bench", "networks", *arguments]) == 0
    results = json.loads(file.read_text())["results"]
    for phase in ("forward", "train step"):
        assert set(results[phase]) == set(results["saved bytes"]) and results[phase][bench.BASE]["median"] == 1
    assert results["saved bytes"][bench.OURS] < results["saved bytes"][bench.NAIVE]
    assert f"| {bench.OURS} |" in capsys.readouterr().out


@pytest.mark.parametrize(("option", "values"), [("--batch", ["1"]), ("--size", ["64", "8"]), ("--repeats", ["0"])])
def test_wrong_numbers(option, values, capsys):
    assert main(["bench", "networks", option, *values]) == 2
    assert capsys.readouterr().err.startswith(f"reid-ext bench: error: {option}: {values[-1]}: expected")
