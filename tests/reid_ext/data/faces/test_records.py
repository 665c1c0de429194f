"""RecordIO: what mxnet wrote is read back; a damaged file is told in one line."""

import struct

import numpy as np
import pytest
from golden_vectors import golden_arrays

from plugins.errors import KpstraError
from reid_ext.data.faces.records import Records

FILES = golden_arrays("face", "rec.")


def written(folder, which, rec=None, idx=None):
    path = folder / f"{which}.rec"
    path.write_bytes(FILES[f"rec.{which}.rec"].tobytes() if rec is None else rec)
    path.with_suffix(".idx").write_bytes(FILES[f"rec.{which}.idx"].tobytes() if idx is None else idx)
    return path


@pytest.mark.parametrize("which", ["a", "b"])
def test_records_are_what_mxnet_reads(tmp_path, which):
    """Record 2 of file b holds the magic word twice and lies in three chunks."""
    records = Records(written(tmp_path, which))
    for key in FILES[f"rec.{which}.keys"].tolist():
        labels, image = records.read(key)
        assert labels == records.labels(key) == tuple(FILES[f"rec.{which}.{key}.label"].tolist())
        assert image == FILES[f"rec.{which}.{key}.payload"].tobytes()


def test_images_and_identities(tmp_path):
    a, b = Records(written(tmp_path, "a")), Records(written(tmp_path, "b"))
    assert (list(a.image_keys), a.identities().tolist()) == ([1, 2, 3, 4, 5], [0, 0, 1, 1, 1])
    assert (list(b.image_keys), b.identities().tolist()) == ([0, 1, 2, 3], [10, 11, 12, 13])


def test_identities_without_their_records_are_those_of_the_images(tmp_path):
    """Where the records of identities leave a gap, every image is asked; there, a label is not the identity's place."""
    rec = bytearray(FILES["rec.a.rec"].tobytes())
    records = Records(written(tmp_path, "a"))
    place = records._places[7] + 8 + 24  # the first label of the second identity
    rec[place : place + 4] = struct.pack("<f", 4.0)
    records = Records(written(tmp_path, "a", bytes(rec)))
    asked = []
    assert records.identities(lambda keys: asked.append(len(keys)) or keys).tolist() == [0, 0, 1, 1, 1]
    assert asked == [2, 5]


def damaged(rec, place, value):
    content = bytearray(rec)
    content[place : place + len(value)] = value
    return bytes(content)


REC = FILES["rec.a.rec"].tobytes()
LINES = FILES["rec.a.idx"].tobytes().decode().splitlines()
SPLIT = FILES["rec.b.rec"].tobytes()


@pytest.mark.parametrize(
    ("rec", "idx", "message"),
    [
        (REC[:-20], None, r"a\.rec: record 7, byte \d+: the file ends in it"),
        (REC[:3000], None, r"a\.idx: line \d: record \d is at byte \d+, but .*a\.rec has 3000"),
        (REC, "\n".join([*LINES, "8\t99999"]), r"a\.idx: line 9: record 8 is at byte 99999, but .* has 6500"),
        (b"no record" + REC[9:], None, r"a\.rec: record 0, byte 0: no record begins there"),
        (REC, "0\t0\n0\t8\n", r"a\.idx: a key is there twice"),
        (REC, "0 0\n", r"a\.idx: .*expected lines of a key, a tab"),
        (REC, "", r"a\.idx: expected lines of a key, a tab"),
        (REC, LINES[0], r"a\.rec: record 0, byte 0: images up to 5, .*does not have"),
        (REC, "0\t0\n7\t0\n9", r"a\.idx: .*expected lines"),
        (damaged(REC, 8, struct.pack("<I", 1 << 20)), None, r"record 0, byte 0: 1048576 labels do not fit into its 32"),
        (damaged(REC, 4, struct.pack("<I", 3)), None, r"record 0, byte 0: 3 bytes: expected a header of 24"),
        (damaged(REC, 32, struct.pack("<f", float("nan"))), None, r"record 0, byte 0: labels \(nan, .*whole numbers"),
    ],
)
def test_a_damaged_file_is_told_in_one_line(tmp_path, rec, idx, message):
    with pytest.raises(KpstraError, match=message) as error:
        records = Records(written(tmp_path, "a", rec, idx if idx is None else idx.encode()))
        records.identities()
        [records.read(key) for key in records._places]
    assert "\n" not in str(error.value)


def test_missing_files_and_keys(tmp_path):
    with pytest.raises(KpstraError, match=r"none\.rec: cannot be read: No such file"):
        Records(tmp_path / "none.rec")
    path = written(tmp_path, "b")
    with pytest.raises(KpstraError, match=r"b\.idx: no record 9; the keys are 0 to 3"):
        Records(path).read(9)
    path.with_suffix(".idx").unlink()
    with pytest.raises(KpstraError, match=r"b\.idx: cannot be read: .*belongs to .*b\.rec"):
        Records(path)


def test_parts_of_records_that_do_not_follow_each_other(tmp_path):
    records = Records(written(tmp_path, "b"))
    place = records._places[2]
    assert struct.unpack_from("<II", SPLIT, place)[1] >> 29 == 1  # a first part
    length = struct.unpack_from("<II", SPLIT, place)[1] & ((1 << 29) - 1)
    second = place + 8 + length + -length % 4
    rec = damaged(SPLIT, second + 4, struct.pack("<I", struct.unpack_from("<II", SPLIT, second)[1] & 0x1FFFFFFF))
    with pytest.raises(KpstraError, match=r"record 2.*: its parts do not follow"):
        Records(written(tmp_path, "b", rec)).read(2)
    idx = f"5\t{second}\n".encode()
    with pytest.raises(KpstraError, match=r"record 5.*: a record's later part begins there"):
        Records(written(tmp_path, "b", SPLIT, idx)).read(5)


def test_labels_of_an_image_are_read_without_its_bytes(tmp_path):
    long = np.zeros(1 << 16, np.uint8).tobytes()
    data = struct.pack("<IfQQ", 0, 3.0, 0, 0) + long
    rec = struct.pack("<II", 0xCED7230A, len(data)) + data
    assert Records(written(tmp_path, "a", rec, b"4\t0\n")).labels(4) == (3.0,)
