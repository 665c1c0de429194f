"""``bench input``: its data, its options, and a small run."""

import json

import numpy as np
import programs
import pytest

from opengait_ext.__main__ import main
from opengait_ext.benchmarks.speed import input as benchmark
from opengait_ext.data.safe_pickle import read_array


def test_sequences_are_real_and_as_long_as_gait3ds(tmp_path, monkeypatch):
    """The shipped frames in turn, 130 of them, two files a sequence."""
    found = benchmark.find_sequences
    monkeypatch.setattr(benchmark, "find_sequences", lambda *given: found(*given)[:2])
    benchmark.write_sequences(tmp_path, 2, 2)
    files = sorted((tmp_path / "data").rglob("*.pkl"))
    silhouettes, keypoints = read_array(files[0]), read_array(files[1])
    assert len(files) == 8 and silhouettes.shape == (130, 64, 64) and keypoints.shape == (130, 17, 3)
    shipped = [frame for file in (tmp_path / "shipped").rglob("0_sil.pkl") for frame in read_array(file)]
    assert silhouettes.max() == 255 and any(np.array_equal(silhouettes[0], frame) for frame in shipped)
    assert json.loads((tmp_path / "partition.json").read_text())["TRAIN_SET"] == ["00000", "00001"]


def test_mistakes(tmp_path, monkeypatch, capsys):
    for options, message in ((["--workers", "0"], "--workers: 0: expected 1"), (["--step", "-1"], "--step: -1")):
        assert main(["bench", "input", *options]) == 2
        error = capsys.readouterr().err
        assert message in error and error.count("\n") == 1
    monkeypatch.chdir(tmp_path)
    assert main(["bench", "input", "--host", "embedded"]) == 2
    assert "needs a checkout of kpstra" in capsys.readouterr().err


def test_processor_time_counts():
    """It grows by what this process computes, and by no wait."""
    before = benchmark.processor_time()
    while benchmark.processor_time() == before:
        sum(range(10**5))
    assert benchmark.processor_time() - before < 5


@pytest.mark.slow
def test_a_run(tmp_path):
    """Both ways of both recipes, a ratio of each and the larger of them."""
    file = tmp_path / "input.json"
    options = ("--host", "embedded", "--workers", "1", "--repeats", "1", "--step", "0", "--json", str(file))
    done = programs.run("opengait_ext", "-m", "opengait_ext", "bench", "input", *options)
    results = json.loads(file.read_text())["results"]
    recipes = results["recipes"].values()
    assert len(recipes) == 2 and results["ratio"] == max(recipe["ratio"] for recipe in recipes)
    for recipe in recipes:
        assert all(rate > 0 for rate in recipe["sequences per second and core"].values())
        assert recipe["speed"] > 0 and set(recipe["seconds waited"]) == {"host", "workers"}
    assert done.stdout.count("| workers |") == 2
