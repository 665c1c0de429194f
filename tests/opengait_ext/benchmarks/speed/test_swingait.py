"""The benchmarks of the OpenGait half: tiny runs, the checks before timing, and the fit."""

import json
import os
import pickle
from pathlib import Path

import numpy as np
import programs
import pytest

from opengait_ext.__main__ import main
from opengait_ext.benchmarks.speed.prepare import FILES, HOST, OURS, check_equal, lengthen
from plugins.errors import KpstraError

ROOT = Path(__file__).parents[4]
RAW = ROOT / "tests" / "data" / "pets-mini" / "gait_raw"
NAME = "0001/camid1_videoid0/seq0"


@pytest.fixture
def raw(tmp_path):
    """Two shipped sequences."""
    for kind in ("2D_Silhouettes", "2D_Poses"):
        for name in (NAME, "0002/camid1_videoid0/seq0"):
            (tmp_path / "raw" / kind / name).parent.mkdir(parents=True)
            (tmp_path / "raw" / kind / name).symlink_to(RAW / kind / name)
    return tmp_path / "raw"


@pytest.mark.parametrize("host", ["embedded", "opengait"])
def test_prepare(host, raw, tmp_path, capsys):
    if host == "opengait" and "OPENGAIT_HOME" not in os.environ:
        pytest.skip("OPENGAIT_HOME does not point at a checkout of OpenGait")
    file = tmp_path / "prepare.json"
    assert main(["bench", "prepare", "--host", host, "--raw", str(raw), "--repeats", "1", "--json", str(file)]) == 0
    for result in json.loads(file.read_text())["results"].values():
        assert result["sequences"] == 2 and result[OURS]["frames per second"] > 0
        assert (result[HOST] is None) == ("speed over OpenGait's" not in result[OURS]) == (host == "embedded")
    assert ("not measured: no checkout" in capsys.readouterr().out) == (host == "embedded")


def test_prepare_says_what_is_wrong(tmp_path, capsys):
    for options, message in (
        (["--raw", str(tmp_path / "none")], "no such folder"),
        (["--host", str(tmp_path)], "not an OpenGait folder"),
        (["--repeats", "0"], "--repeats: 0: expected 1 or more"),
    ):
        assert main(["bench", "prepare", "--raw", str(RAW), *options]) == 2
        error = capsys.readouterr().err
        assert message in error and error.count("\n") == 1


def test_prepare_needs_the_hosts_function(tmp_path, capsys):
    for part in ("opengait/modeling/base_model.py", "configs/default.yaml", "datasets/pretreatment.py"):
        (tmp_path / part).parent.mkdir(parents=True)
        (tmp_path / part).touch()
    assert main(["bench", "prepare", "--raw", str(RAW), "--host", str(tmp_path)]) == 2
    assert "has no imgs2pickle" in capsys.readouterr().err


def test_unequal_silhouettes_are_not_timed(tmp_path):
    for folder, file, value in (("ours", FILES[0], 0), ("host", "c.pkl", 1)):
        (tmp_path / folder / "a/b/c").mkdir(parents=True)
        (tmp_path / folder / "a/b/c" / file).write_bytes(pickle.dumps(np.full((2, 4, 4), value, np.uint8)))
    with pytest.raises(KpstraError, match="a/b/c: silhouettes differ"):
        check_equal(["a/b/c"], tmp_path / "ours", tmp_path / "host")


def test_lengthened_sequences_repeat_their_frames(raw, tmp_path):
    silhouettes, poses = lengthen(raw / "2D_Silhouettes", raw / "2D_Poses", [NAME], 45, tmp_path / "long")
    given = [path.read_bytes() for path in sorted((RAW / "2D_Silhouettes" / NAME).iterdir())]
    files = [path.read_bytes() for path in sorted((silhouettes / NAME).iterdir())]
    assert files == [given[i % len(given)] for i in range(45)] and len(list((poses / NAME).iterdir())) == 45


@pytest.mark.slow
def test_scaling(tmp_path):
    """In a process of its own: it makes a process group and changes the allocator."""
    file, picture = tmp_path / "scaling.json", tmp_path / "scaling.png"
    sizes = ("--sizes", "small", "--lengths", "1", "2", "3", "--batches", "2", "3", "4", "--repeats", "1")
    command = ("-m", "opengait_ext", "bench", "scaling", *sizes, "--json", str(file), "--plot", str(picture))
    programs.run("opengait_ext", *command)
    curves = json.loads(file.read_text())["results"]
    assert len({(c["model"], c["phase"], c["sweep"]) for c in curves}) == len(curves) == 8
    assert [p["x"] for p in curves[0]["points"]] == [1, 2, 3] and picture.read_bytes().startswith(b"\x89PNG")


def test_swingait(tmp_path):
    """Ratios of networks and transformers, whose outputs are compared first."""
    file = tmp_path / "swingait.json"
    options = ("--size", "small", "--host", "embedded", "--repeats", "1", "--json", str(file))
    done = programs.run("opengait_ext", "-m", "opengait_ext", "bench", "swingait", *options)
    results = json.loads(file.read_text())["results"]
    assert results["transformers"]["largest difference of outputs"] < 1e-4
    for pair in ("networks", "transformers"):
        for phase in ("forward", "train step"):
            assert next(iter(results[pair][phase].values()))["median"] == 1 and len(results[pair][phase]) == 2
    assert done.stdout.count("| SwinGait-2D + KP-RPE | SwinGait-2D |") == 1


def test_scaling_says_what_is_wrong(capsys):
    for options in (["--sizes", "smal"], ["--lengths", "1", "2"], ["--batches", "1", "2", "3"]):
        assert main(["bench", "scaling", *options]) == 2
        assert options[0] in capsys.readouterr().err
    for option in ("--plot", "--json"):  # told before anything is measured
        assert main(["bench", "scaling", option, "/dev/null/x.png"]) == 2
        assert "/dev/null/x.png: cannot be written" in capsys.readouterr().err


def test_straight_line():
    from opengait_ext.benchmarks.speed.scaling import straight_line

    line = straight_line([1, 2, 5], [3, 5, 11])
    assert line == pytest.approx({"intercept": 1, "slope": 2, "r2": 1, "deviation": 0}, abs=1e-9)
    assert straight_line([1, 2, 3, 4], [1, 2, 3, 8])["deviation"] > 0.1
