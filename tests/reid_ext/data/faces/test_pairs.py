"""A .bin of pairs: Python 2's and 3's are read, no code is run, damaged ones are told in one line."""

import io
import os
import pickle

import numpy as np
import pytest
from golden_vectors import golden_arrays
from PIL import Image

from plugins.errors import KpstraError
from reid_ext.data.faces.pairs import is_table, read_bin, read_table

FILES = golden_arrays("face", "bin.")


def written(folder, content, name="lfw.bin"):
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else pickle.dumps(content, 4))
    return str(path)


@pytest.mark.parametrize("python", ["py2", "py3"])
def test_pairs_are_those_of_the_pickle(tmp_path, python):
    images, same = read_bin(written(tmp_path, FILES[f"bin.{python}"].tobytes()))
    assert same.tolist() == FILES["bin.issame"].tolist()
    for image, expected in zip(images, FILES["bin.images"], strict=True):
        pixels = np.asarray(Image.open(io.BytesIO(image)).convert("RGB")).transpose(2, 0, 1)
        assert np.abs(pixels.astype(int) - expected).max() <= 2  # JPEG decoders differ by that much


@pytest.mark.parametrize("protocol", [2, 5])
def test_arrays_are_read(tmp_path, protocol):
    """Of encoded bytes, and of pixels; truth values may be NumPy's."""
    encoded, pixels = np.frombuffer(b"jpeg", np.uint8), np.zeros((2, 3, 3), np.uint8)
    images, same = read_bin(written(tmp_path, pickle.dumps(([encoded, pixels], np.array([True])), protocol)))
    assert (images[0], same.tolist()) == (b"jpeg", [True])
    np.testing.assert_array_equal(images[1], pixels)
    assert read_bin(written(tmp_path / "..", pickle.dumps(([b"a", b"b"], [np.True_]), protocol))).same.tolist() == [
        True
    ]


class Malicious:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (self.path,)


@pytest.mark.parametrize("protocol", [0, 2, 5])
def test_no_code_runs(tmp_path, protocol):
    made = tmp_path / "made"
    path = written(tmp_path, pickle.dumps(([b"a", Malicious(str(made))], [True]), protocol))
    with pytest.raises(KpstraError, match=r"lfw\.bin: not a readable file of pairs: it wants .*mkdir"):
        read_bin(path)
    assert not made.exists()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "not a readable file of pairs"),
        (FILES["bin.py3"].tobytes()[:2000], "not a readable file of pairs"),
        ([1, 2, 3], "list: expected a pickle of two lists"),
        (7, "int: expected a pickle of two lists"),
        (([b"a", b"b", b"c"], [True]), "3 images for 1 pairs; expected two for each"),
        (([], []), "0 images for 0 pairs"),
        ((b"ab", [True]), "0 images for 1 pairs"),
        (([b"a", "b"], [True]), "image 1: 'b'"),
        (([b"a", b""], [True]), "image 1: b''"),
        (([b"a", np.zeros((2, 3))], [True]), r"image 1: float64 \(2, 3\)"),
        (([b"a", b"b"], ["yes"]), "pair 0: 'yes'"),
        (([b"a", b"b"], [np.ones(2)]), r"pair 0: float64 \(2,\)"),
    ],
)
def test_a_damaged_file_is_told_in_one_line(tmp_path, content, message):
    with pytest.raises(KpstraError, match=rf"lfw\.bin: {message}") as error:
        read_bin(written(tmp_path, content))
    assert "\n" not in str(error.value)


def test_a_missing_file(tmp_path):
    with pytest.raises(KpstraError, match=r"none\.bin: not a readable file of pairs: No such file"):
        read_bin(str(tmp_path / "none.bin"))


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("a.jpg,b.jpg,yes", "line 2: same: 'yes': expected 1 or 0"),
        ("a.jpg,c.jpg,1", r"line 2: .*c\.jpg: no such file"),
        ("a.jpg", "line 2: .*: no such file"),
    ],
)
def test_a_table_of_pairs(tmp_path, row, message):
    for name in "ab":
        (tmp_path / f"{name}.jpg").touch()
    path = tmp_path / "pairs.csv"
    path.write_text("first,second,same\na.jpg,b.jpg,1\n b.jpg, a.jpg, 0\n")
    assert is_table(path)
    images, same = read_table(path)
    assert images == [str(tmp_path / f"{name}.jpg") for name in "abba"] and same.tolist() == [True, False]
    path.write_text(f"first,second,same\n{row}\n")
    with pytest.raises(KpstraError, match=rf"pairs\.csv: {message}"):
        read_table(path)
    path.write_text("first,same\n")
    assert not is_table(path)
    with pytest.raises(KpstraError, match=r"pairs\.csv: line 1: no column second"):
        read_table(path)
