"""`reid-ext walkers`: Market-1501's layout, the host on it, resuming, mistakes."""

import json
import re
import signal
from collections import Counter

import cv2
import numpy as np
import programs
import pytest
from reid_data import arguments

from plugins.keypoints import read
from reid_ext.__main__ import main
from reid_ext.benchmarks.walkers import BASE, GALLERY, OTHERS, QUERY, TRAIN, Settings

SMALL = ["--identities", "7", "--train", "3", "--cameras", "3", "--crops", "3"]


def contents(output):
    return {str(p.relative_to(output)): p.read_bytes() for p in sorted(output.rglob("*")) if p.is_file()}


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    root = tmp_path_factory.mktemp("crops") / "data"
    assert main(["walkers", "--output", str(root), *SMALL]) == 0
    return root


def test_layout(root):
    files = {folder: sorted(p.name for p in (root / BASE / folder).iterdir()) for folder in (TRAIN, QUERY, GALLERY)}
    assert {folder: len(names) for folder, names in files.items()} == {TRAIN: 27, QUERY: 12, GALLERY: 24}
    for names in files.values():
        assert all(re.fullmatch(r"\d{4}_c[1-3]s1_\d{6}_00\.jpg", name) for name in names)
    assert {name[:4] for name in files[TRAIN]} == {"0001", "0002", "0003"}
    tested = {"0004", "0005", "0006", "0007"}
    assert {name[:4] for name in files[QUERY]} == {name[:4] for name in files[GALLERY]} == tested
    assert Counter(name[:7] for name in files[GALLERY]).most_common()[-1][1] == 2
    crop = cv2.imread(str(root / BASE / TRAIN / files[TRAIN][0]))
    assert crop.shape == (128, 64, 3) and crop.std() > 10
    assert json.loads((root / "walkers.json").read_text())["crops"] == 3


def test_joints_are_those_of_the_crops(root):
    """All crops have some; heads are above ankles, and nearly all joints lie on their crop."""
    people = read(root / "keypoints.npz")
    files = {path.relative_to(root / BASE).as_posix() for path in (root / BASE).rglob("*.jpg")}
    assert set(people) == files
    joints = np.stack([*people.values()])
    assert (joints[:, 0, 1] < joints[:, 15:, 1].min(1)).all()
    assert ((joints[..., :2] >= 0) & (joints[..., :2] < [64, 128])).all(2).mean() > 0.97
    rendered = Settings(7, 3, 3, 3).render(3, 1, 2)[1]
    np.testing.assert_array_equal(people[f"{GALLERY}/0004_c2s1_000002_00.jpg"], rendered)


def test_cameras_differ_in_background(root):
    def corner(camera):
        crops = [cv2.imread(str(p)) for p in sorted((root / BASE / TRAIN).glob(f"*_c{camera}s1_*"))]
        return np.median([crop[:8, :8].mean((0, 1)) for crop in crops], axis=0)

    assert min(np.abs(corner(a) - corner(b)).max() for a, b in ((1, 2), (1, 3), (2, 3))) > 4


def test_torchreid_trains_and_tests_on_it(root, tmp_path, capsys):
    assert main(arguments(root, tmp_path, "train.max_epoch", "1", "train.batch_size", "13")) == 0
    out = capsys.readouterr().out
    assert "  mAP  " in out
    assert re.search(r"train +\| +3 \| +27 \| +3", next(tmp_path.glob("train.log-*")).read_text())


@pytest.mark.slow
def test_killed_and_rerun_writes_the_same_bytes(tmp_path):
    assert main(["walkers", "--output", str(tmp_path / "whole"), *SMALL, "--crops", "10"]) == 0
    output = tmp_path / "killed"
    ten = lambda: sum(1 for _ in (output / BASE).rglob("*.jpg")) >= 10  # noqa: E731
    command = ("-m", "reid_ext", "walkers", "--output", str(output), *SMALL, "--crops", "10")
    programs.run("reid_ext", *command, when=ten, expect=-signal.SIGKILL)
    there = {p: p.stat().st_mtime_ns for p in (output / BASE).rglob("*.jpg")}
    assert 10 <= len(there) < 210
    assert main(["walkers", "--output", str(output), *SMALL, "--crops", "10"]) == 0
    assert contents(output) == contents(tmp_path / "whole")
    assert all(p.stat().st_mtime_ns == stamp for p, stamp in there.items())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--train", "7"], "--train 7"),
        (["--train", "5"], "10 gallery crops"),
        (["--identities", "1600"], "--identities 1600"),
        (["--cameras", "7"], "--cameras 7"),
        (["--crops", "1"], "--crops 1"),
        (["--others", "-1"], "--others -1"),
        (["--others", "1495"], "--identities 7 --others 1495: expected at most 1501 together"),
        (["--seed", "-1"], "--seed -1"),
        (["--clothing", "-1"], "clothing -1"),
        (["--light", "nan"], "--light nan"),
        (["--bodies", "any"], "--bodies: 'any' is not one of simple, anny (did you mean 'anny'?)"),
    ],
)
def test_mistakes_are_one_line_and_status_2(tmp_path, capsys, options, message):
    assert main(["walkers", "--output", str(tmp_path / "out"), *SMALL, *options]) == 2
    err = capsys.readouterr().err
    assert err.startswith("reid-ext walkers: error: ") and message in err and err.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_others_are_a_data_set_of_their_own(root, tmp_path, capsys):
    """Beside the same crops of the same people; torchreid trains on the ones and tests on the others."""
    output = tmp_path / "data"
    assert main(["walkers", "--output", str(output), *SMALL, "--others", "2"]) == 0
    assert "3 training identities; 2 others (data.sources [others]), 4 test" in capsys.readouterr().out
    ours, before = (contents(folder / BASE) for folder in (output, root))
    assert ours == before
    others = sorted(path.name for path in (output / OTHERS / TRAIN).iterdir())
    assert len(others) == 2 * 3 * 3 and {name[:4] for name in others} == {"0008", "0009"}
    assert {f"{TRAIN}/{name}" for name in others} <= set(read(output / "keypoints.npz"))
    sources = ["data.sources", "['others']", "train.max_epoch", "1", "train.batch_size", "9"]
    assert main(arguments(output, tmp_path / "run", *sources)) == 0
    assert re.search(r"train +\| +2 \| +18 \| +3", next((tmp_path / "run").glob("train.log-*")).read_text())
    assert main(["walkers", "--output", str(output), *SMALL]) == 2
    assert "was begun with others 2, not unset" in capsys.readouterr().err


def test_crops_of_bodies_of_anny(root, tmp_path, capsys):
    pytest.importorskip("anny", reason="kpstra[bodies] is not installed")
    assert "bodies" not in json.loads((root / "walkers.json").read_text())  # folders of before go on
    output = tmp_path / "anny"
    assert main(["walkers", "--output", str(output), *SMALL, "--bodies", "anny"]) == 0
    assert json.loads((output / "walkers.json").read_text())["bodies"] == "anny"
    ours, simple = (sorted((folder / BASE).rglob("*.jpg")) for folder in (output, root))
    assert [p.relative_to(output) for p in ours] == [p.relative_to(root) for p in simple] and len(ours) == 63
    assert all(a.read_bytes() != b.read_bytes() for a, b in zip(ours, simple, strict=True))
    assert main(["walkers", "--output", str(output), *SMALL]) == 2
    assert "was begun with bodies 'anny', not unset" in capsys.readouterr().err


def test_other_settings_are_refused(root, capsys):
    assert main(["walkers", "--output", str(root), *SMALL, "--seed", "3"]) == 2
    assert "was begun with seed 0, not 3" in capsys.readouterr().err
