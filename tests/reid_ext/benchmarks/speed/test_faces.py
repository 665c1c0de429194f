"""The benchmark of the ViT for faces: counts as the paper's Table 3, and a tiny run."""

import json

import pytest
import torch

from plugins.benchmarks.leaderboard import read_table
from reid_ext.__main__ import main
from reid_ext.benchmarks.speed import faces as bench


def test_a_tiny_run(tmp_path, capsys):
    file = tmp_path / "b.json"
    arguments = ["--network", "tiny", "--batch", "2", "--repeats", "1", "--device", "cpu", "--json", str(file)]
    assert main(["bench", "faces", *arguments]) == 0
    plain, kprpe, detected = json.loads(file.read_text())["results"].values()
    assert detected["parameters"] - kprpe["parameters"] == 486_775
    assert kprpe["parameters"] - plain["parameters"] == (10 + 1) * 49 * 4 * 3  # landmarks' x, y and a bias
    assert 0 < plain["operations without attention"] < plain["operations"]
    assert "train images/s" in kprpe and "train images/s" not in detected
    assert "| ViT tiny + KP-RPE |" in capsys.readouterr().out


def test_operations_against_a_count_by_hand():
    """Patches, blocks and head of the tiny network; q.k and a.v are what is left out."""
    network = bench.networks("tiny")["ViT tiny"].eval()
    found, tokens, width = bench.operations(network, torch.device("cpu")), 196, 64
    blocks = 3 * tokens * (4 * width * width + 2 * width * 2 * width)
    rest = tokens * 3 * 8 * 8 * width + tokens * width * width + width * width
    assert found["operations"] - found["batched"] == 2 * (blocks + rest)
    assert found["batched"] == 2 * 3 * 2 * tokens * tokens * width


@pytest.mark.slow
def test_counts_are_the_papers():
    """Parameters and GFLOP of Table 3; f(P), factorised, takes no more than the paper's."""
    rows = {row.label: row.complexity for row in read_table("leaderboard_faces_kprpe", "reid").rows}
    for size, labels in {
        "small": ("ViT small", "ViT small + KP-RPE, multihead"),
        "base": ("AdaFace, ViT base, MS1MV3", "AdaFace, ViT base + KP-RPE, MS1MV3"),
    }.items():
        plain, kprpe, _ = bench.networks(size).values()
        published, more = (rows[label] for label in labels)
        assert bench.count(plain) / 1e6 == pytest.approx(published["parameters"], abs=0.006)
        assert bench.count(kprpe) / 1e6 == pytest.approx(more["parameters"], abs=0.006)
        counted, with_kprpe = (bench.operations(network, torch.device("cpu")) for network in (plain, kprpe))
        assert (counted["operations"] - counted["batched"]) / 1e9 == pytest.approx(2 * published["macs"], abs=0.04)
        extra = (with_kprpe["operations"] - counted["operations"]) / 1e9
        assert 0 < extra < 2 * (more["macs"] - published["macs"]) + 0.01


@pytest.mark.parametrize(("option", "value"), [("--batch", "1"), ("--repeats", "0")])
def test_wrong_numbers(option, value, capsys):
    assert main(["bench", "faces", option, value]) == 2
    assert capsys.readouterr().err.startswith(f"reid-ext bench: error: {option}: {value}: expected")
