"""`opengait-ext walkers`: layouts, equality with `prepare`, training on them, resuming, mistakes."""

import json
import pickle
import signal
from collections import Counter

import cv2
import numpy as np
import programs
import pytest
from gait_data import EMBEDDED, losses

from opengait_ext.__main__ import main
from opengait_ext.data.body import count_body
from opengait_ext.data.prepare import prepare
from plugins.benchmarks.walkers import Alignment, alignment_errors, displace

SMALL = "--identities 7 --train 3 --validation 0 --sequences 4 --probes 1 --frames 8 --workers 2 --noise 0.2".split()
NAMES = ("0_sil.pkl", "1_keypoints.pkl")


def make(output, *options, expect=0):
    assert main(["walkers", "--output", str(output), *SMALL, *options]) == expect
    return output


def arrays(folder):
    return [pickle.loads((folder / name).read_bytes()) for name in NAMES]


def visible(silhouettes, keypoints):
    """Joints outside the frame count as unsure."""
    keypoints = keypoints.copy()
    keypoints[((keypoints[..., :2] < 0) | (keypoints[..., :2] > 63)).any(-1), 2] = 0
    return silhouettes, keypoints


def contents(output):
    return {str(p.relative_to(output)): p.read_bytes() for p in sorted(output.rglob("*")) if p.is_file()}


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return make(tmp_path_factory.mktemp("walkers") / "data")


def test_layout_partition_and_settings(data, tmp_path, capsys):
    folders = sorted(p for p in data.glob("[!.]*/*/*"))
    assert len(folders) == 7 * 4 and not (data / ".partial").exists()
    for folder in folders:
        silhouettes, keypoints = arrays(folder)
        assert silhouettes.shape == (8, 64, 64) and silhouettes.dtype == np.uint8
        assert keypoints.shape == (8, 17, 3) and keypoints.dtype == np.float32
    sets = json.loads((data / "partition.json").read_text())
    assert (len(sets["TRAIN_SET"]), len(sets["TEST_SET"]), len(sets["PROBE_SET"])) == (3, 4, 4)
    assert set(sets["PROBE_SET"]) <= {"-".join(p.parts[-3:]) for p in folders}
    settings = json.loads((data / "walkers.json").read_text())
    assert settings["identities"] == 7 and settings["seed"] == 0 and settings["alignment_error"] == 0.0
    sheet = tmp_path / "sheet.png"
    assert (
        main(
            [
                "doctor",
                "--data",
                str(data),
                "--partition",
                str(data / "partition.json"),
                "--host",
                "embedded",
                "--sheet",
                str(sheet),
            ]
        )
        == 0
    )
    assert "LOOK" not in capsys.readouterr().out and sheet.stat().st_size


def test_people_for_validation_are_neither_trained_on_nor_tested(tmp_path, data, capsys):
    output = make(tmp_path / "data", "--identities", "11", "--validation", "4")
    test, validation = (json.loads((output / f"partition{end}.json").read_text()) for end in ("", "_validation"))
    assert test["TRAIN_SET"] == validation["TRAIN_SET"] == ["0001", "0002", "0003"]
    assert validation["TEST_SET"] == ["0004", "0005", "0006", "0007"] and len(validation["PROBE_SET"]) == 4
    assert test["TEST_SET"] == ["0008", "0009", "0010", "0011"]
    assert {name[:4] for name in test["PROBE_SET"]} == set(test["TEST_SET"])
    assert "3 training identities, 4 for validation (partition_validation.json), 4 test" in capsys.readouterr().out
    assert not (data / "partition_validation.json").exists()


def test_without_an_error_it_is_what_prepare_makes_of_the_raw_frames(data, tmp_path, capsys):
    raw = make(tmp_path / "raw", "--raw")
    prepare(raw / "2D_Silhouettes", raw / "2D_Poses", tmp_path / "prepared", workers=1)
    for folder in data.glob("[!.]*/*/*"):
        ours, theirs = arrays(folder), arrays(tmp_path / "prepared" / folder.relative_to(data))
        np.testing.assert_array_equal(ours[0], theirs[0])
        np.testing.assert_allclose(ours[1], theirs[1], atol=1e-3)  # the text has four decimals
    assert (raw / "partition.json").read_bytes() == (data / "partition.json").read_bytes()


def test_an_alignment_error_survives_in_silhouettes_and_joints(data, tmp_path):
    output = make(tmp_path / "moved", "--alignment-error", "0.8", "--train-alignment-error", "0")
    offsets, counts = [], Counter()
    for folder in data.glob("[!.]*/*/*"):
        straight, other = arrays(folder), arrays(output / folder.relative_to(data))
        if folder.relative_to(data).parts[0] <= "0003":  # training identities
            for a, b in zip(straight, other, strict=True):
                np.testing.assert_array_equal(a, b)
            continue
        assert straight[0].shape == other[0].shape
        columns = [images.sum((0, 1)) @ np.arange(64) / images.sum() for images in (straight[0], other[0])]
        offsets.append(columns[1] - columns[0])
        count_body(*visible(*other), counts)
        np.testing.assert_array_equal(straight[1][..., 2], other[1][..., 2])
    assert np.abs(offsets).mean() > 1.5  # pixels of 64: not centred again
    assert counts["joints on body"] >= 0.97 * counts["joints confident"] > 1000


def test_joint_errors_spoil_joints_only(data, tmp_path):
    assert not {"bodies", "joint_errors"} & json.loads((data / "walkers.json").read_text()).keys()  # folders go on
    output = make(tmp_path / "found", "--joint-errors", "1")
    assert json.loads((output / "walkers.json").read_text())["joint_errors"] == 1.0
    off = []
    for folder in data.glob("[!.]*/*/*"):
        exact, found = arrays(folder), arrays(output / folder.relative_to(data))
        np.testing.assert_array_equal(exact[0], found[0])
        off.append(np.abs(exact[1] - found[1])[..., :2].mean())
    assert 0.1 < np.median(off) < 0.6  # pixels of 64: rounded to about 0.6


def test_walkers_in_bodies_of_anny(tmp_path, capsys):
    pytest.importorskip("anny", reason="kpstra[bodies] is not installed")
    output = make(tmp_path / "anny", "--bodies", "anny", "--frames", "2")
    record = json.loads((output / "walkers.json").read_text())
    assert record["bodies"] == "anny" and record["joint_errors"] == 1.0
    counts, folders = Counter(), list(output.glob("[!.]*/*/*"))
    for folder in folders:
        count_body(*visible(*arrays(folder)), counts)
    assert len(folders) == 28 and counts["joints on body"] >= 0.93 * counts["joints confident"] > 400
    make(output, "--bodies", "anny", "--frames", "2", "--joint-errors", "0", expect=2)
    assert "was begun with joint_errors 1.0, not unset" in capsys.readouterr().err


def test_a_mark_moves_with_its_joint():
    mark, joint = np.zeros((5, 64, 64), np.uint8), np.full((5, 17, 3), (24, 30, 0.9), np.float32)
    mark[:, 28:33, 22:27] = 255
    marks, joints = displace(mark, joint, alignment_errors(Alignment.of(0.8), 1, 5))
    for image, (x, y, score) in zip(marks, joints[:, 0], strict=True):
        moments = cv2.moments(image)
        assert np.hypot(moments["m10"] / moments["m00"] - x, moments["m01"] / moments["m00"] - y) < 0.3
        assert score == np.float32(0.9)


def train(config, data, workdir, *more):
    """Train two iterations of a shipped configuration."""
    options = ("--cfgs", f"opengait/{config}", "--host", EMBEDDED, "--device", "cpu", "--workdir", str(workdir))
    settings = (
        f"data_cfg.dataset_root={data}",
        f"data_cfg.dataset_partition={data / 'partition.json'}",
        "trainer_cfg.total_iter=2",
        "trainer_cfg.log_iter=1",
        "trainer_cfg.sampler.batch_size=[2,2]",
        "model_cfg.SeparateBNNecks.class_num=3",
        "trainer_cfg.save_iter=2",
    )
    return programs.run("opengait_ext", "-m", "opengait_ext", *options, *settings, *more)


@pytest.fixture(scope="module")
def trunk(data, tmp_path_factory):
    workdir = tmp_path_factory.mktemp("trunk")
    assert len(losses(train("walkers_trunk", data, workdir))) == 2
    (weights,) = workdir.rglob("SwinGait2DTrunk_walkers-00002.pt")
    return weights


@pytest.mark.parametrize(
    "config",
    ["walkers_swingait2d", "walkers_swingait2d_kprpe", "walkers_swingait2d_heatmaps", "walkers_swingait2d_modes"],
)
def test_the_shipped_configurations_train_on_them(data, trunk, tmp_path, config):
    """From the weights of the trunk, whose configuration is shipped too."""
    done = train(config, data, tmp_path, f"trainer_cfg.restore_hint={trunk}")
    assert len(losses(done)) == 2 and list(tmp_path.rglob("*-00002.pt"))
    assert "tensors loaded" in done.stderr + done.stdout


@pytest.mark.slow
@pytest.mark.parametrize("options", [[], ["--raw"]], ids=["prepared", "raw"])
def test_killed_and_rerun_writes_the_same_bytes(tmp_path, options):
    more = [*SMALL, "--sequences", "12", "--noise", "0.5", "--alignment-error", "0.3", *options]
    assert main(["walkers", "--output", str(tmp_path / "whole"), *more]) == 0
    output = tmp_path / "killed"
    pattern = "2D_Silhouettes/*/*/seq0" if options else "[!.]*/*/seq0"
    ten = lambda: sum(1 for _ in output.glob(pattern)) >= 10  # noqa: E731
    command = ("-m", "opengait_ext", "walkers", "--output", str(output), *more)
    programs.run("opengait_ext", *command, when=ten, where="group", expect=-signal.SIGKILL)
    there = {p: p.stat().st_mtime_ns for p in output.glob(pattern)}
    assert not (output / "partition.json").exists()
    assert main(["walkers", "--output", str(output), *more]) == 0
    assert contents(output) == contents(tmp_path / "whole")
    assert all(p.stat().st_mtime_ns == stamp for p, stamp in there.items()) and len(there) >= 10


def test_other_settings_and_foreign_folders_are_refused(data, tmp_path, capsys):
    before = contents(data)
    make(data, "--seed", "1", expect=2)
    assert "was begun with seed 0, not 1" in capsys.readouterr().err
    (tmp_path / "mine.txt").touch()
    make(tmp_path, expect=2)
    assert "mine.txt" in capsys.readouterr().err and not (tmp_path / "walkers.json").exists()
    assert contents(data) == before
    (data / "walkers.json").rename(tmp_path / "kept")
    (data / "walkers.json").write_text("torn{")
    make(data, expect=2)
    assert "walkers.json: damaged" in capsys.readouterr().err
    (tmp_path / "kept").replace(data / "walkers.json")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--train", "7"], "--train 7"),
        (["--validation", "4"], "--validation 4: expected 0, or more that leave some of --identities 7 to test"),
        (["--validation", "-1"], "--validation -1"),
        (["--validation", "2", "--identities", "9"], "--validation 2: 6 gallery sequences"),
        (["--probes", "4"], "--probes 4"),
        (["--sequences", "2"], "4 gallery sequences"),
        (["--frames", "0"], "--frames 0"),
        (["--noise", "-1"], "noise -1"),
        (["--alignment-error", "nan"], "alignment error nan"),
        (["--spread", "-1"], "spread -1"),
        (["--seed", "-1"], "--seed -1"),
        (["--workers", "0"], "--workers 0"),
        (["--cameras", "0"], "--cameras 0"),
        (["--joint-errors", "11"], "joint errors 11"),
        (["--bodies", "any"], "--bodies: 'any' is not one of simple, anny (did you mean 'anny'?)"),
    ],
)
def test_mistakes_are_one_line_and_status_2(tmp_path, capsys, options, message):
    make(tmp_path / "out", *options, expect=2)
    err = capsys.readouterr().err
    assert err.startswith("opengait-ext walkers: error: ") and message in err and err.count("\n") == 1
    assert not (tmp_path / "out").exists()
