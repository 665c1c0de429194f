"""`reid-ext faces`: folders, tables and landmarks, the host on them, resuming, mistakes."""

import json
from collections import Counter
from pathlib import Path

import cv2
import numpy as np
import pytest
from reid_data import arguments

from plugins.keypoints import read
from reid_ext.__main__ import main
from reid_ext.benchmarks.faces import Settings
from reid_ext.data.own import find_source, read_source

SMALL = ["--identities", "7", "--train", "3", "--views", "8", "--size", "16"]


def contents(output):
    return {str(p.relative_to(output)): p.read_bytes() for p in sorted(output.rglob("*")) if p.is_file()}


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    root = tmp_path_factory.mktemp("faces") / "data"
    assert main(["faces", "--output", str(root), *SMALL]) == 0
    return root


def test_layout(root):
    """Folders of people, which are data sets under ``images``, and tables, which are data sets beside it."""
    folders = Counter(path.parent.relative_to(root).as_posix() for path in root.rglob("*.png"))
    trained = {f"images/train/{person:04d}": 8 for person in range(1, 4)}
    assert folders == trained | {f"images/{kind}/{i:04d}": 8 for kind in ("aligned", "unaligned") for i in range(4, 8)}
    image = cv2.imread(str(root / "images/train/0001/00.png"))
    assert image.shape == (16, 16, 3) and image.std() > 10
    tested = {"train": 0, "query": 12, "gallery": 20}
    for name, expected in {
        "train": {"train": 24, "query": 0, "gallery": 0},
        "aligned": tested,
        "unaligned": tested,
    }.items():
        assert find_source(root, name) == root / f"{name}.csv"
        assert find_source(root / "images", name) == root / "images" / name
        splits = read_source(root / f"{name}.csv")
        assert {split: len(images) for split, images in splits.items()} == expected
        assert all(
            Path(image.path).parts[-3:-1] == (name, f"{int(image.person):04d}")
            for images in splits.values()
            for image in images
        )
        assert not {i.camera for i in splits["query"]} & {i.camera for i in splits["gallery"]}
    assert json.loads((root / "faces.json").read_text())["views"] == 8


def test_landmarks_are_those_of_the_pictures(root):
    points, settings = read(root / "landmarks.npz"), Settings(identities=7, train=3, views=8, size=16)
    assert {*points} == {path for path in contents(root) if path.endswith(".png")}
    for picture in settings.pictures():
        np.testing.assert_allclose(points[picture.path], settings.landmarks(picture), atol=1e-4)
    spread = {
        kind: np.stack([points[path][:, :2] for path in points if f"/{kind}/" in path]).std(0).mean()
        for kind in ("aligned", "unaligned")
    }
    assert spread["unaligned"] > 1.3 * spread["aligned"]


@pytest.mark.slow
def test_torchreid_trains_and_tests_on_it(root, tmp_path, capsys):
    """Both data sets are tested on, and the landmarks of all are found."""
    data = ["-s", "train", "-t", "aligned", "unaligned", "data.keypoints", str(root / "landmarks.npz")]
    opts = ["train.max_epoch", "1", "train.batch_size", "12", "data.height", "24", "data.width", "24"]
    assert main([*arguments(root, tmp_path), *data, *opts]) == 0
    metrics = json.loads((tmp_path / "train.results.json").read_text())["metrics"]
    assert list(metrics) == ["aligned", "unaligned"]
    assert "24 of 24 images have keypoints" in capsys.readouterr().out


def test_a_second_run_writes_what_is_missing(root, tmp_path, capsys):
    before = contents(root)
    (root / "images/unaligned/0005/03.png").unlink()
    assert main(["faces", "--output", str(root), *SMALL]) == 0
    assert "1 pictures written" in capsys.readouterr().out and contents(root) == before
    assert main(["faces", "--output", str(root), *SMALL, "--seed", "3"]) == 2
    assert "was begun with seed 0, not 3" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--train", "7"], "--train 7: expected at least 1 and fewer than --identities 7"),
        (["--train", "4"], "--identities 7: 15 gallery pictures, rank-20 needs 20"),
        (["--identities", "10000"], "--identities 10000: expected at most 9999"),
        (["--views", "1"], "--views 1"),
        (["--size", "8"], "--size 8: expected 16 to 512"),
        (["--seed", "-1"], "--seed -1"),
        (["--spread", "nan"], "--spread nan: expected 0 to 3"),
        (["--alignment-error", "4"], "--alignment-error 4.0"),
    ],
)
def test_mistakes_are_one_line_and_status_2(tmp_path, capsys, options, message):
    assert main(["faces", "--output", str(tmp_path / "out"), *SMALL, *options]) == 2
    err = capsys.readouterr().err
    assert err.startswith("reid-ext faces: error: ") and message in err and err.count("\n") == 1
    assert not (tmp_path / "out").exists()
