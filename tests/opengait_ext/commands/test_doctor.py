"""The doctor finds what is wrong with a data set, and the demo does the whole job."""

import json
import pickle
import re
import shutil
from pathlib import Path

import cv2
import numpy as np
import programs
import pytest
from gait_data import metrics, write_data

from opengait_ext.__main__ import main
from opengait_ext.pictures.sheet import overlay_sheet
from plugins.errors import KpstraError

TOP = Path(__file__).parents[3]
SEQUENCE = "data/0001/camid0_videoid0/seq0"


@pytest.fixture
def data(tmp_path):
    return write_data(tmp_path, frames=3)


def diagnose(data, *options, capsys):
    sheet = data / "sheet.png"
    status = main(
        [
            "doctor",
            "--data",
            str(data / "data"),
            "--partition",
            str(data / "partition.json"),
            "--sheet",
            str(sheet),
            "--host",
            "embedded",
            *options,
        ]
    )
    return status, capsys.readouterr(), sheet


def test_all_is_well(data, capsys):
    """Host, versions, device, counts and joints; the sheet shows bodies and coloured joints."""
    status, printed, sheet = diagnose(data, capsys=capsys)
    assert status == 0 and "LOOK" not in printed.out
    for part in (
        "host: embedded",
        "torch 2",
        "device: ",
        "32 sequences; files in each: 2 in 32",
        "training identities: 4 of",
        "probe sequences: 4 of the 4",
        "identities both in TRAIN_SET and TEST_SET: none",
    ):
        assert part in printed.out
    assert float(re.search(r"on the body: ([\d.]+)%", printed.out)[1]) > 90
    picture = cv2.imread(str(sheet))
    grey = (picture.max(-1) == picture.min(-1)).mean()
    assert picture.shape[0] > 500 and 0.5 < grey < 0.999


def test_what_is_wrong(data, capsys):
    """Each fault is one LOOK line, and the status is 1."""
    folder = data / SEQUENCE
    keypoints = pickle.loads((folder / "1_keypoints.pkl").read_bytes())
    (folder / "1_keypoints.pkl").write_bytes(pickle.dumps(keypoints[:-1]))
    (data / "data/0002/camid0_videoid0/seq0/0_sil.pkl").write_bytes(b"broken")
    (data / "data/0003/camid0_videoid0/seq0/1_keypoints.pkl").unlink()
    partition = json.loads((data / "partition.json").read_text())
    partition["TEST_SET"].append("0000")
    (data / "partition.json").write_text(json.dumps(partition))
    status, printed, _ = diagnose(data, "--published", "Gait3D", capsys=capsys)
    assert status == 1
    looks = "\n".join(line for line in printed.out.splitlines() if line.startswith("LOOK"))
    for part in (
        "files in each: 2 in 31, 1 in 1",
        "0001/camid0_videoid0/seq0/1_keypoints.pkl: 2 frames, but ",
        "unreadable files: 1: ",
        "training identities: 4, Gait3D has 3000",
        "both in TRAIN_SET and TEST_SET: 0000",
    ):
        assert part in looks


def test_joints_in_a_wrong_frame(data, capsys):
    """Joints in another coordinate frame miss the bodies."""
    for path in (data / "data").rglob("1_keypoints.pkl"):
        path.write_bytes(pickle.dumps(pickle.loads(path.read_bytes()) * np.float32([9, 9, 1])))
    status, printed, _ = diagnose(data, capsys=capsys)
    assert status == 1 and re.search(
        r"LOOK  confident joints on the body: \d\.\d% .*; poses and silhouettes seem to be in different pixel frames",
        printed.out,
    )


def test_no_data(tmp_path, capsys):
    assert main(["doctor", "--data", str(tmp_path / "no"), "--host", "embedded"]) == 2
    assert "no such folder; make it with `opengait-ext prepare`" in capsys.readouterr().err
    assert main(["doctor", "--data", str(tmp_path), "--host", "embedded", "--sheet", str(tmp_path / "a.png")]) == 2
    assert "no .pkl file in it; expected <id>/<type>/<view>/*.pkl" in capsys.readouterr().err and not list(
        tmp_path.iterdir()
    )


def test_demo(tmp_path):
    """Raw files in; metrics of the host's evaluation, pictures and TensorBoard out; the paths that it prints exist."""
    options = ("--output", str(tmp_path / "out"), "--host", "embedded", "--device", "cpu")
    short = ("trainer_cfg.total_iter=2", "evaluator_cfg.restore_hint=2")
    done = programs.run("opengait_ext", "-m", "opengait_ext", "demo", *options, *short, cwd=TOP)
    assert "2 iterations, host embedded" in done.stdout
    printed = dict(re.findall(r"^  (Rank-1|Rank-5|Rank-10|mAP|mINP) +([\d.]+) %$", done.stdout, re.MULTILINE))
    logged = metrics(done)
    assert printed.keys() == {"Rank-1", "Rank-5", "Rank-10", "mAP", "mINP"}
    assert all(logged[name] == pytest.approx(float(value), abs=0.006) for name, value in printed.items())
    paths = re.findall(r"^  [^:\n]+: (\S+)$", done.stdout, re.MULTILINE)
    assert len(paths) == 4 and all(Path(path).exists() for path in paths)
    assert {Path(path).name for path in paths} >= {"overlay.png", "bias.png", "summary"}


@pytest.mark.slow
def test_demo_outside_a_checkout(tmp_path):
    """Without the shipped data it renders walkers; the whole way is the same, from raw files to metrics."""
    options = ("--output", "out", "--host", "embedded", "--device", "cpu")
    short = ("trainer_cfg.total_iter=2", "evaluator_cfg.restore_hint=2")
    done = programs.run("opengait_ext", "-m", "opengait_ext", "demo", *options, *short, cwd=tmp_path)
    assert "tests/data/pets-mini/gait_raw: not here" in done.stdout
    assert set(re.findall(r"^  (Rank-1|mAP|mINP) +[\d.]+ %$", done.stdout, re.MULTILINE)) == {"Rank-1", "mAP", "mINP"}
    partition = json.loads((tmp_path / "out/data/partition.json").read_text())
    assert len(partition["TRAIN_SET"]) == 4 and len(partition["TEST_SET"]) == 5


def test_sheet_needs_keypoints(data, capsys):
    """A data set of silhouettes alone cannot be drawn with joints; the report says so among the rest."""
    for path in (data / "data").rglob("1_keypoints.pkl"):
        path.unlink()
    shutil.rmtree(data / "data/0000")
    with pytest.raises(KpstraError, match="no sequence has silhouettes"):
        overlay_sheet(data / "data", data / "a.png")
    status, printed, sheet = diagnose(data, capsys=capsys)
    assert status == 1 and not sheet.exists()
    assert "ok    28 sequences; files in each: 1 in 28" in printed.out
    assert f"LOOK  overlay sheet: not drawn: --data {data / 'data'}: no sequence has silhouettes" in printed.out


@pytest.mark.parametrize("kind", [bool, np.int64, np.float16])
def test_silhouettes_of_any_kind_of_numbers_are_drawn(data, capsys, kind):
    """What is wrong with them is said."""
    for path in (data / "data").rglob("0_sil.pkl"):
        path.write_bytes(pickle.dumps(pickle.loads(path.read_bytes()).astype(kind)))
    status, printed, sheet = diagnose(data, capsys=capsys)
    assert sheet.is_file() and f"overlay sheet: {sheet}" in printed.out
    assert status == (kind is bool) and ("the greatest value is 1, expected 255" in printed.out) == (kind is bool)


def test_sheet_of_what_can_be_drawn(data):
    """Unreadable sequences are left out, joints of another set are no joints, narrow silhouettes are not cut."""
    every = sorted((data / "data").glob("*/*/*"))
    for folder in every:
        (folder / "0_sil.pkl").write_bytes(pickle.dumps(np.full((2, 32, 32), 255, np.uint8)))
        (folder / "1_keypoints.pkl").write_bytes(pickle.dumps(np.full((2, 17, 3), 9, np.float32)))
    (every[0] / "1_keypoints.pkl").write_bytes(b"torn")
    assert overlay_sheet(data / "data", data / "a.png").is_file()
    for folder in every:
        (folder / "1_keypoints.pkl").write_bytes(pickle.dumps(np.ones((2, 18, 3), np.float32)))
    with pytest.raises(KpstraError, match=r"and keypoints \(T, 17, 3\); 0000/camid0_videoid0/seq0 for one has not"):
        overlay_sheet(data / "data", data / "b.png")
