"""Crops that are no images: torchreid alone reads them again and again, for ever."""

import io
import shutil

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from reid_data import arguments

from plugins.errors import KpstraError
from reid_ext.__main__ import main
from reid_ext.data.images import read_image

KIND = "crops: truncated, empty, damaged, no image"
NAMED = "error names the file"


def encoded(kind, size=(24, 12), mode="RGB"):
    stream = io.BytesIO()
    pixels = np.random.default_rng(0).integers(0, 256, (*size, 3), np.uint8)
    Image.fromarray(pixels).convert(mode).save(stream, kind)
    return stream.getvalue()


FILES = {kind: encoded(kind) for kind in ("JPEG", "PNG", "GIF", "BMP", "TIFF")}


@pytest.mark.filterwarnings("ignore::UserWarning:PIL")
@given(
    kind=st.sampled_from(sorted(FILES)),
    share=st.floats(0, 1, exclude_max=True),
    flips=st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(1, 255)), max_size=8),
)
def test_damaged_files_are_images_or_named(tmp_path, record, kind, share, flips):
    """Cut anywhere, with any bytes changed: an RGB image, as where only pixels differ, or the one error."""
    data = bytearray(FILES[kind])
    for where, change in flips:
        data[int(where * len(data))] ^= change
    path = tmp_path / "0001_c1s1_000001_00.jpg"
    path.write_bytes(data[: len(data) if share > 0.7 else int(share * len(data))])
    try:
        image = read_image(str(path))
    except KpstraError as error:
        assert str(error).startswith(f"{path}: not a readable image (") and "\n" not in str(error)
        record(KIND, NAMED)
    else:
        assert image.mode == "RGB" and image.size[0] > 0
        record(KIND, "read: the damage still decodes")


@pytest.mark.parametrize("mode", ["L", "1", "P", "CMYK"])
def test_every_mode_becomes_rgb(tmp_path, mode):
    path = tmp_path / "x"
    path.write_bytes(encoded("JPEG" if mode == "CMYK" else "PNG", mode=mode))
    assert read_image(str(path)).mode == "RGB"


@pytest.mark.parametrize("size", [(1, 1), (1, 300), (300, 1)])
def test_any_size_is_read(tmp_path, size, record):
    path = tmp_path / "x.jpg"
    path.write_bytes(encoded("JPEG", size))
    assert read_image(str(path)).size == size[::-1]
    record("crops: one pixel wide or high", "read")


@pytest.fixture
def market(market_root, tmp_path):
    shutil.copytree(market_root / "market1501", tmp_path / "data" / "market1501")
    return tmp_path / "data"


@pytest.mark.parametrize("workers", [0, pytest.param(2, marks=pytest.mark.slow)])
@pytest.mark.parametrize(
    "folder, more",
    [
        ("bounding_box_train", ["train.max_epoch", "1"]),
        ("query", ["test.evaluate", "True", "model.partial_weights", "True"]),
    ],
)
def test_a_run_ends_instead_of_hanging(market, tmp_path, capsys, record, workers, folder, more):
    for path in market.rglob(f"{folder}/*.jpg"):
        path.write_bytes(path.read_bytes()[:300])
    assert main(arguments(market, tmp_path / "log", "data.workers", str(workers), *more)) == 2
    errors = capsys.readouterr().err
    assert errors.startswith(f"reid-ext: error: {path.parent}/") and errors.count("\n") == 1
    assert ".jpg: not a readable image (" in errors and "; replace the file or remove it" in errors
    assert not list(tmp_path.rglob("model.pth.tar*"))
    record(KIND, "run ended with status 2, file named")
