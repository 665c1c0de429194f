"""``reid-ext keypoints``: one compact file, a picture, and a report."""

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from plugins.keypoints import read
from reid_ext.__main__ import main

FORMATS = Path(__file__).parents[2] / "data" / "formats"


def convert(path, images, output, *more):
    return main(["keypoints", str(path), "--images", str(images), "--output", str(output), *more])


def test_shares_become_pixels_in_a_file_that_reads_the_same(market_root, tmp_path, capsys):
    output = tmp_path / "out" / "k.npz"
    assert convert(market_root / "market_keypoints.json", market_root / "market1501", output) == 0
    said = capsys.readouterr().out
    assert "273 of 275 images have keypoints; 2 have none and get confidence 0: " in said
    assert "4,242 of 4,242 confident joints lie on their crop (273 crops looked at)" in said
    people, shares = read(output), json.loads((market_root / "market_keypoints.json").read_text())
    assert len(people) == 275
    for name, joints in people.items():
        assert (market_root / "market1501" / name).is_file()
        expected = np.array(shares[Path(name).name]) * [64, 128, 1]
        np.testing.assert_allclose(joints, np.where(expected[:, 2:] > 0, expected, 0), atol=1e-4)
    with Image.open(output.with_suffix(".png")) as sheet:
        assert np.asarray(sheet).std() > 20 and sheet.width > 8 * 128


@pytest.mark.parametrize("name", ["kpr", "ultralytics"])
def test_examples_with_their_images(tmp_path, name, capsys):
    """Images of either are in the folder that is read; Occluded-ReID's have the same names in two folders."""
    folder = shutil.copytree(FORMATS / name, tmp_path / "in")
    path = folder / "labels" if name == "ultralytics" else folder
    assert convert(path, folder, tmp_path / "k.npz", "--sheet", str(tmp_path / "s.png"), "--format", name) == 0
    expected = json.loads((folder / "expected.json").read_text())["items"]
    found = read(tmp_path / "k.npz")
    assert len(found) == len(expected)
    for image, joints in expected.items():
        key = image if image in found else f"images/{image}.jpg"
        np.testing.assert_allclose(found[key], np.zeros((17, 3)) if joints is None else joints, atol=0.01)
    assert (tmp_path / "s.png").stat().st_size > 1000


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("gone", "market1501", "k.npz"), "keypoints: .*gone: no such file or folder"),
        (("market_keypoints.json", "gone", "k.npz"), "--images .*gone: no such folder"),
        (("market_keypoints.json", "gait_raw/2D_Poses", "k.npz"), "no .jpg, .jpeg"),
        (("market_keypoints.json", "market1501", "k.json"), "--output .*k.json: expected a name that ends in .npz"),
        (("market_keypoints.json", "gait_raw", "k.npz"), "no keypoints of the images: they are named as"),
    ],
)
def test_mistakes_end_in_one_line(market_root, tmp_path, arguments, message, capsys):
    keypoints, images, output = arguments
    assert convert(market_root / keypoints, market_root / images, tmp_path / output) == 2
    said = capsys.readouterr().err
    assert re.search(message, said) and said.count("\n") == 1
    assert not list(tmp_path.iterdir())
