"""Sequence files that are damaged, malicious or hold something else than the frames they should."""

import json
import pickle
import struct

import numpy as np
import pytest
from gait_data import dataset, write_data
from hypothesis import given
from hypothesis import strategies as st

from opengait_ext.data.dataset import ArrayDataset
from opengait_ext.data.partition import read_partition
from opengait_ext.data.safe_pickle import read_array
from plugins.errors import KpstraError

DAMAGED = "sequence files: truncated, empty, bytes changed"
MALICIOUS = "sequence files that claim memory, call code or repeat themselves"
OTHER = "sequence files of another dtype or content"
NAMED = "error names the file"
FILES = [
    pickle.dumps(content, protocol)
    for content in (
        np.arange(96, dtype=np.uint8).reshape(2, 6, 8),
        np.ones((3, 17, 3), np.float32),
        list(np.ones((3, 4, 4))),
        np.asfortranarray(np.arange(12.0).reshape(3, 4)),
    )
    for protocol in range(6)
]


def refusal(path):
    """The one line with which a file is refused."""
    with pytest.raises(KpstraError) as caught:
        read_array(path)
    assert str(caught.value).startswith(f"{path}: ") and "\n" not in str(caught.value)
    return str(caught.value)


@given(
    data=st.sampled_from(FILES),
    share=st.floats(0, 1),
    changes=st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), max_size=6),
    inserted=st.binary(max_size=9),
    at=st.floats(0, 1),
)
def test_damaged_files(tmp_path, record, data, share, changes, inserted, at):
    """Whatever happens to the bytes: an array of numbers with frames, or the one error."""
    data = bytearray(data)
    for where, value in changes:
        data[int(where * len(data))] = value
    data = data if share > 0.5 else data[: int(2 * share * len(data))]
    place = int(at * len(data))
    path = tmp_path / "séquence ü.pkl"
    path.write_bytes(data[:place] + inserted + data[place:])
    try:
        array = read_array(path)
    except KpstraError as error:
        assert str(error).startswith(f"{path}: ") and "\n" not in str(error)
        record(DAMAGED, NAMED)
    else:
        assert array.dtype.kind in "buif" and array.ndim and array.size
        record(DAMAGED, "read: still a pickle of numbers")


def bomb(body, protocol=4):
    return b"\x80" + bytes([protocol]) + body + b"."


DTYPE = b"cnumpy\ndtype\n(X\x02\x00\x00\x00f8I00\nI01\ntR"
BOMBS = {
    "memo of 2**31 entries": bomb(b"Nr\xff\xff\xff\x7f"),
    "bytes of 2**40": bomb(b"\x8e" + struct.pack("<Q", 2**40)),
    "bytearray of 2**33": bomb(b"\x96" + struct.pack("<Q", 2**33), 5),
    "text of 2**40": bomb(b"\x8d" + struct.pack("<Q", 2**40)),
    "array of 2**40 without data": bomb(
        b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(I0\ntC\x01btR(I1\n(L1099511627776L\nt"
        + DTYPE
        + b"I00\nC\x00tb"
    ),
    "one array listed 2**16 times": bomb(
        b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(I0\ntC\x01btR(I1\n(I512\nt"
        + DTYPE
        + b"I00\nB\x00\x10\x00\x00"
        + bytes(4096)
        + b"tbq\x010]("
        + b"h\x01" * 2**16
        + b"e"
    ),
    "list that holds itself": bomb(b"]q\x00h\x00a"),
    "lists doubled 60 times": bomb(b"]" + b"".join(b"q%c0](h%ch%ce" % (i, i, i) for i in range(60))),
    "nested 100000 deep": bomb(b"(" * 100000 + b"t" * 100000),
    "integer of 10**6 digits": bomb(b"I" + b"9" * 10**6 + b"\n"),
    "unknown encoding": bomb(b"c_codecs\nencode\n(X\x01\x00\x00\x00aX\x04\x00\x00\x00zlibtR"),
    "attributes of our own classes": bomb(b"cnumpy\ndtype\nN}X\x08\x00\x00\x00__init__Ns\x86b"),
    "dtype of objects": bomb(b"cnumpy\ndtype\n(X\x01\x00\x00\x00OI00\nI01\ntR"),
    "persistent name": bomb(b"Px\n"),
    "extension": bomb(b"\x82\x01"),
    "eval": bomb(b"cbuiltins\neval\n(X\x03\x00\x00\x001+1tR"),
    "attribute of an allowed module": bomb(b"cnumpy\nload\n(X\x01\x00\x00\x00atR"),
    "stacked name": bomb(b"X\x05\x00\x00\x00posixX\x06\x00\x00\x00system\x93X\x04\x00\x00\x00true\x85R"),
}


@pytest.mark.parametrize("what", BOMBS)
def test_malicious_files(tmp_path, record, what):
    path = tmp_path / "a.pkl"
    path.write_bytes(BOMBS[what])
    refusal(path)
    read_good = tmp_path / "b.pkl"
    read_good.write_bytes(FILES[3])
    assert read_array(read_good).shape == (2, 6, 8)  # what came before left nothing behind
    record(MALICIOUS, NAMED)


CONTENTS = [
    None,
    3,
    2.5,
    "text",
    b"bytes",
    {},
    {"a": np.ones(3)},
    [],
    [None],
    ["a"],
    [[1, 2], [3, 4]],
    [np.ones(3), None],
    [np.ones(3), np.ones(4)],
    np.array(["a", "b"]),
    np.array([b"a"]),
    np.ones(3, complex),
    np.array([None]),
    np.zeros(3, "M8[s]"),
    np.zeros(3, "m8[s]"),
    np.zeros(3, [("a", "f8")]),
    np.zeros(3, [("a", "O")]),
    np.float64(1),
    np.zeros((0, 64, 64)),
    np.zeros((3, 0, 64)),
    np.array(5),
    {1, 2},
    range(3),
    slice(3),
    np.ma.ones(3),
    np.random.default_rng(0),
    np.dtype("f8"),
    np.ones(3).view(np.recarray),
    lambda: 0,
]


@pytest.mark.parametrize("number", range(len(CONTENTS)))
@pytest.mark.parametrize("protocol", [0, 2, 5])
def test_other_contents(tmp_path, record, number, protocol):
    path = tmp_path / "a.pkl"
    try:
        path.write_bytes(pickle.dumps(CONTENTS[number], protocol))
    except Exception:  # a function cannot be pickled: write its name
        path.write_bytes(b"cbuiltins\nlen\n.")
    refusal(path)
    record(OTHER, NAMED)


@pytest.mark.parametrize("dtype", ["?", "u1", "i2", "<i4", ">i4", "u8", "f2", "<f4", ">f8", "g"])
def test_numbers_of_every_dtype_are_read(tmp_path, dtype):
    path, array = tmp_path / "a.pkl", np.arange(24).reshape(4, 3, 2).astype(dtype)
    for content in (array, list(array), np.asfortranarray(array), array[::2]):
        for protocol in range(6):
            path.write_bytes(pickle.dumps(content, protocol))
            np.testing.assert_array_equal(read_array(path), np.asarray(content))
            assert read_array(path).dtype == np.asarray(content).dtype


@pytest.mark.parametrize("path", ["folder", "missing", "unreadable"])
def test_files_that_cannot_be_opened(tmp_path, monkeypatch, record, path):
    (tmp_path / "folder").mkdir()
    if path == "unreadable":
        monkeypatch.setattr("builtins.open", lambda *_, **__: (_ for _ in ()).throw(PermissionError(13, "denied")))
    refusal(tmp_path / path)
    record(DAMAGED, NAMED)


@given(value=st.sampled_from([np.nan, np.inf, -np.inf]), frame=st.integers(0, 4), column=st.integers(0, 1))
def test_values_that_are_no_numbers(tmp_path, record, value, frame, column):
    data, array = dataset(tmp_path, (5, 5)), np.zeros((5, 2), np.float32)
    array[frame, column] = value
    (tmp_path / "1_keypoints.pkl").write_bytes(pickle.dumps(array))
    with pytest.raises(KpstraError, match=rf"1_keypoints\.pkl: NaN or infinite values, first in frame {frame}; "):
        ArrayDataset(data)[0]
    record("NaN and infinite joints in prepared data", "error names file and frame")


@given(lengths=st.tuples(st.integers(1, 9), st.integers(1, 9)))
def test_frame_counts(tmp_path, record, lengths):
    data = ArrayDataset(dataset(tmp_path, lengths))
    if lengths[0] == lengths[1]:
        assert len(data[0][0][0]) == lengths[0]
        return
    with pytest.raises(KpstraError, match=rf"1_keypoints\.pkl: {lengths[1]} frames, but .* has {lengths[0]}"):
        data[0]
    record("unequal frame counts between modalities", NAMED)


NAMES = st.lists(st.sampled_from(["0001", "0002-a-b", "0003", "ü-nm-01-090", "0004--b"]), max_size=4)
WRONG = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=3),
    st.lists(st.one_of(st.integers(), st.none(), st.lists(st.text(max_size=2), max_size=2)), min_size=1, max_size=3),
    st.dictionaries(st.text(max_size=2), st.integers(), max_size=2),
)


SETS = st.sampled_from(["TRAIN_SET", "TEST_SET", "PROBE_SET"])


@given(sets=st.dictionaries(SETS, st.one_of(NAMES, NAMES, NAMES, WRONG)))
def test_partitions(tmp_path, record, sets):
    """Right ones come back as they are; duplicates, people in both halves and wrong types are named."""
    path = tmp_path / "partition.json"
    path.write_text(json.dumps(sets))
    halves = [sets.get("TRAIN_SET"), sets.get("TEST_SET"), sets.get("PROBE_SET", [])]
    lists = all(isinstance(half, list) and all(isinstance(one, str) for one in half) for half in halves)
    right = lists and not set(halves[0]) & set(halves[1]) and all(len(set(half)) == len(half) for half in halves)
    right = right and all(len(probe.split("-")) >= 3 and "--" not in probe for probe in halves[2])
    if right:
        assert read_partition(path) == sets
        record("partitions: duplicate ids, ids in both halves, wrong types", "read: nothing wrong with it")
    else:
        with pytest.raises(KpstraError, match=r"partition\.json: .*(_SET|expected)"):
            read_partition(path)
        record("partitions: duplicate ids, ids in both halves, wrong types", "error names file and key")


CUT = st.integers(0, 60).map(lambda length: b'{"TRAIN_SET": ["1"], "TEST_SET": []}'[:length])


@given(data=st.one_of(st.binary(max_size=20), CUT, st.just(b"[" * 100000), st.just(b"\xff\xfe")))
def test_broken_partitions(tmp_path, record, data):
    path = tmp_path / "partition.json"
    path.write_bytes(data)
    try:
        read_partition(path)
        outcome = "read: nothing wrong with it"
    except KpstraError as error:
        assert str(error).startswith(f"{path}: ") and "\n" not in str(error)
        outcome = NAMED
    record("partitions: truncated, empty, no JSON", outcome)


def test_missing_probes_are_told_and_left_out(tmp_path, record):
    from opengait_ext.data.probes import check_probes

    root = write_data(tmp_path, frames=1)
    partition = json.loads((root / "partition.json").read_text())
    partition["PROBE_SET"].append("0009-camid0_videoid0-seq0")
    (root / "partition.json").write_text(json.dumps(partition))
    data = dataset(tmp_path)
    data.seqs_info = [[f"{i:04d}", f"camid{view}_videoid0", "seq0", []] for i in range(4, 8) for view in range(4)]
    cfgs = {
        "evaluator_cfg": {"eval_func": "evaluate_Gait3D"},
        "data_cfg": {"dataset_partition": str(root / "partition.json"), "dataset_root": str(root)},
    }
    line = check_probes(data, cfgs)
    assert line == (
        "4 probes, 12 gallery sequences; not in the data and not counted: 1 probes, such as 0009-camid0_videoid0-seq0"
    )
    record("probes missing from the data", "stated rule: left out of the queries, named in the log")
