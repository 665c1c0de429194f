"""The benchmark of images channels last in memory."""

import json

import pytest

from reid_ext.__main__ import main
from reid_ext.benchmarks.speed import layouts as bench

NETWORK = ["--networks", "osnet_x0_25", "--size", "32", "32", "--repeats", "1"]


@pytest.mark.parametrize(
    ("more", "phase"), [([], "forward"), pytest.param(["--train"], "train step", marks=pytest.mark.slow)]
)
def test_a_tiny_run(tmp_path, capsys, more, phase):
    """Both layouts' numbers are near those of float64."""
    file = tmp_path / "b.json"
    assert main(["bench", "layouts", *NETWORK, "--batches", "2", *more, "--json", str(file)]) == 0
    written = json.loads(file.read_text())
    assert written["setting"]["phase"] == phase and list(written["results"]) == ["osnet_x0_25, 2"]
    for one in written["results"].values():
        assert one[bench.NCHW]["median"] == 1 and one[bench.NHWC]["seconds"] > 0
        assert all(0 < error < 0.1 for error in one["error"].values())
    assert "| osnet_x0_25 | 2 |" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--train", "--batches", "4", "1"], "--batches: 1: expected 2"),
        (["--batches", "0"], "1 or"),
        (["--networks", "osnet"], "--networks: 'osnet'"),
    ],
)
def test_wrong_numbers(options, message, capsys):
    assert main(["bench", "layouts", *NETWORK, *options]) == 2
    assert message in capsys.readouterr().err
