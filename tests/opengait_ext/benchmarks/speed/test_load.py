"""``bench load``: linked sequences, what is watched, and a small run."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from opengait_ext.__main__ import main
from opengait_ext.benchmarks.speed.load import EACH, STEPS, link_sequences, name_of, watched, write_partition
from opengait_ext.data.layout import find_sequences

RAW = Path(__file__).parents[3] / "data" / "pets-mini" / "gait_raw"


def test_links(tmp_path):
    """As many sequences as asked for, the shipped ones in turn, poses beside silhouettes."""
    frames = link_sequences(RAW, tmp_path / "raw", 70)
    shipped = find_sequences(RAW / "2D_Silhouettes", ".png", "--raw")
    linked = find_sequences(tmp_path / "raw" / "2D_Silhouettes", ".png", "--raw")
    assert linked == sorted("/".join(name_of(i)) for i in range(70)) and len(set(linked)) == 70 > 2 * len(shipped)
    assert frames == sum(len(os.listdir(tmp_path / "raw" / "2D_Silhouettes" / name)) for name in linked)
    for number in (0, len(shipped)):
        for kind in ("2D_Silhouettes", "2D_Poses"):
            assert (tmp_path / "raw" / kind / "/".join(name_of(number))).resolve() == (RAW / kind / shipped[0])
    write_partition(tmp_path / "partition.json", 70)
    partition = json.loads((tmp_path / "partition.json").read_text())
    assert len(partition["TRAIN_SET"]) == 9 and len(partition["TEST_SET"]) == 3 == len(partition["PROBE_SET"])
    assert {*partition["TRAIN_SET"], *partition["TEST_SET"]} == {name.split("/")[0] for name in linked}
    assert all(probe.replace("-", "/") in linked for probe in partition["PROBE_SET"])


def test_a_process_is_watched(tmp_path):
    """Its memory at each part of its work, and that of its largest child."""
    ready = tmp_path / "ready"
    program = (
        "import subprocess, sys, time; held = b'1' * 60_000_000; subprocess.run([sys.executable, '-c', '''\n"
        f"import time; held = b'1' * 90_000_000; open({str(ready)!r}, 'w').close(); time.sleep(600)''']); held"
    )
    process, started = subprocess.Popen([sys.executable, "-c", program], start_new_session=True), time.monotonic()
    while not ready.exists() and time.monotonic() - started < 60:
        time.sleep(0.02)
    began = time.monotonic()

    def finished() -> int:
        return min(10, int(5 * (time.monotonic() - began)))

    try:
        points = watched(process.pid, finished, 10, lambda: time.monotonic() - began > 2.5)
    finally:
        os.killpg(process.pid, 9)
        process.wait()
    assert len(points) == STEPS + 1 and [p["finished"] for p in points[-2:]] == [10, 10]
    assert [p["seconds"] for p in points] == sorted(p["seconds"] for p in points)
    assert 60 < points[-1]["main MB"] < 90 < points[-1]["worker MB"] < 130


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--sequences", str(10 * EACH - 1)], "--sequences 59: expected 60 or more"),
        (["--sequences", "60", "--scratch", "/dev/null/x"], "--scratch /dev/null/x: Not a directory"),
    ],
)
def test_mistakes(options, message, capsys):
    assert main(["bench", "load", *options]) == 2
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1


def test_outside_a_checkout(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["bench", "load", "--sequences", "60"]) == 2
    assert "`bench load` needs a checkout of kpstra" in capsys.readouterr().err


@pytest.mark.slow
def test_a_small_run(tmp_path, capsys):
    """Everything is prepared and read, and nothing is left behind."""
    file, scratch = tmp_path / "load.json", tmp_path / "scratch"
    scratch.mkdir()
    size = ["--sequences", "130", "--host", "embedded", "--scratch", str(scratch), "--json", str(file)]
    assert main(["bench", "load", *size]) == 0
    results = json.loads(file.read_text())["results"]
    assert results["prepare"][-1]["finished"] == 130 and len(results["prepare"]) == STEPS + 1
    assert results["data sets"]["training"]["sequences"] == 96 and results["data sets"]["test"]["sequences"] == 34
    assert results["test loader"][-1]["finished"] == 34 and results["training loader"][-1]["finished"] >= 130
    assert all(p["main MB"] > 0 for what in ("prepare", "training loader") for p in results[what])
    assert not list(scratch.iterdir()) and "| prepare again, all done | 130 |" in capsys.readouterr().out
