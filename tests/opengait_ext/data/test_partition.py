"""Partitions: made by rule, cut from a published one, written once, and mistakes in them named."""

import json
import os
from pathlib import Path

import pytest

from opengait_ext.data.layout import find_sequences
from opengait_ext.data.partition import read_partition, restricted, split, summary, write_partition
from plugins.errors import KpstraError

NAMES = [
    f"{i:02d}/{kind}/{view}" for i in range(1, 6) for kind in ("bg-01", "nm-01", "nm-02") for view in ("000", "090")
]


@pytest.mark.parametrize(
    ("train", "expected"),
    [
        *[("2", ["01", "02"]), ("0.4", ["01", "02"]), ("05,01", ["01", "05"]), ("05, 01,", ["01", "05"])],
        *[("04", ["04"]), ("0", []), ("0.1", []), ("5", ["01", "02", "03", "04", "05"]), (" 04,", ["04"])],
    ],
)
def test_who_trains(train, expected):
    """A number is a number of identities, unless it begins with a zero as names do."""
    if 0 < len(expected) < 5:
        sets = split(NAMES, train, "1")
        assert sets["TRAIN_SET"] == expected
        assert sets["TEST_SET"] == [f"{i:02d}" for i in range(1, 6) if f"{i:02d}" not in expected]
    else:
        with pytest.raises(KpstraError, match=f"--train {train}: leaves {len(expected)} of 5 identities to train"):
            split(NAMES, train, "1")


def test_names_in_a_file(tmp_path):
    (tmp_path / "ids.txt").write_text("03\n01\n")
    assert split(NAMES, str(tmp_path / "ids.txt"), "1")["TRAIN_SET"] == ["01", "03"]
    (tmp_path / "ids.txt").write_bytes(b"\xff\xfe")
    with pytest.raises(KpstraError, match="not readable as text"):
        split(NAMES, str(tmp_path / "ids.txt"), "1")
    with pytest.raises(KpstraError, match="--train a,01: a not in the data; expected a number"):
        split(NAMES, "a,01", "1")
    with pytest.raises(KpstraError, match="--train 003: 003 not in the data"):  # and not three identities
        split(NAMES, "003", "1")


def test_names_with_blanks_and_commas_and_of_numbers(tmp_path):
    names = [f"{one}/nm/{view}" for one in ("3", "12", "anna b", "c, d", "e") for view in ("000", "090")]
    (tmp_path / "ids.txt").write_bytes("\ufeffanna b\r\n\r\n  c, d\r\n".encode())
    for train, expected in (
        (str(tmp_path / "ids.txt"), ["anna b", "c, d"]),
        ("anna b, e", ["anna b", "e"]),
        ("c, d", ["c, d"]),
        ("3,", ["3"]),
        ("3", ["12", "3", "anna b"]),
    ):
        assert split(names, train, "1")["TRAIN_SET"] == expected


def test_a_list_of_names_longer_than_a_files_name_may_be():
    names = [f"{i:04d}/nm/000" for i in range(80)]
    assert len(split(names, ",".join(name[:4] for name in names[:70]), "*")["TRAIN_SET"]) == 70


@pytest.mark.parametrize(
    ("probes", "of_05"),
    [
        ("1", ["05-bg-01-000"]),
        ("3", ["05-bg-01-000", "05-bg-01-090", "05-nm-01-000"]),
        ("99", [f"05-{kind}-{view}" for kind in ("bg-01", "nm-01", "nm-02") for view in ("000", "090")][:5]),
        ("*-nm-02-*", ["05-nm-02-000", "05-nm-02-090"]),
    ],
)
def test_probes(probes, of_05, tmp_path):
    """With a number one sequence at least stays in the gallery; the file can be read as a partition."""
    sets = split(NAMES, "3", probes)
    assert [probe for probe in sets["PROBE_SET"] if probe.startswith("05")] == of_05
    assert len(sets["PROBE_SET"]) == 2 * len(of_05)
    write_partition(tmp_path / "p.json", sets)
    assert read_partition(tmp_path / "p.json") == sets
    assert f"2 test identities, {2 * len(of_05)} probes, {12 - 2 * len(of_05)} gallery sequences" in summary(
        sets, NAMES
    )


@pytest.mark.parametrize("probes", ["0", "06-*", ""])
def test_no_probes(probes):
    with pytest.raises(KpstraError, match=r"no sequence of a test identity.*such as 05-bg-01-000"):
        split(NAMES, "4", probes)


def test_what_a_test_would_miss_is_told():
    sets = split(NAMES, "4", "*")
    assert summary(sets, NAMES) == (
        "4 training identities, 1 test identities, 6 probes, 0 gallery sequences; evaluate_Gait3D needs at least 10; "
        "without a gallery sequence: 05"
    )


def test_a_published_partition_is_cut_to_the_data():
    published = {"TRAIN_SET": ["01", "99"], "TEST_SET": ["02"], "PROBE_SET": ["02-bg-01-000", "02-bg-09-000"]}
    kept = restricted(published, NAMES, "p.json")
    assert kept == {"TRAIN_SET": ["01"], "TEST_SET": ["02"], "PROBE_SET": ["02-bg-01-000"]}
    with pytest.raises(KpstraError, match=r"p\.json: none of its identities is in the data; there they are 01, 02"):
        restricted({"TRAIN_SET": ["1"], "TEST_SET": ["2"]}, NAMES, "p.json")


def test_nothing_is_overwritten_unasked(tmp_path):
    path = tmp_path / "p.json"
    sets, other = split(NAMES, "3", "1"), split(NAMES, "2", "1")
    write_partition(path, sets)
    write_partition(path, sets)
    with pytest.raises(KpstraError, match=r"p\.json: is there already and differs; give another --output"):
        write_partition(path, other)
    assert read_partition(path) == sets
    write_partition(path, other, overwrite=True)
    assert read_partition(path) == other and [p.name for p in tmp_path.iterdir()] == ["p.json"]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"\xef\xbb\xbf{}", "byte order mark; save it as UTF-8 without one"),
        ({"TRAIN_SET": [1], "TEST_SET": []}, 'TRAIN_SET: expected a list of names in quotes, such as "0001"'),
        ({"TRAIN_SET": ["a"]}, "TEST_SET: expected a list"),
        ({"TRAIN_SET": ["a", "a"], "TEST_SET": []}, "TRAIN_SET: a listed more than once"),
        ({"TRAIN_SET": ["a"], "TEST_SET": ["a"]}, "a in both TRAIN_SET and TEST_SET"),
        ({"TRAIN_SET": ["a"], "TEST_SET": ["b"], "PROBE_SET": ["b-1"]}, "PROBE_SET: b-1: expected <id>-<type>-<view>"),
        ({"TRAIN_SET": ["a"], "TEST_SET": ["b"], "PROBE_SET": ["b-1-"]}, "PROBE_SET: b-1-: expected <id>-<type>"),
        ([], "a list, expected"),
    ],
)
def test_mistakes(tmp_path, content, said):
    path = tmp_path / "p.json"
    path.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
    with pytest.raises(KpstraError) as caught:
        read_partition(path)
    assert str(caught.value).startswith(f"{path}: ") and said in str(caught.value)


@pytest.mark.skipif("OPENGAIT_HOME" not in os.environ, reason="needs OPENGAIT_HOME, a checkout of OpenGait")
def test_every_partition_that_comes_with_opengait_is_read():
    paths = sorted(Path(os.environ["OPENGAIT_HOME"], "datasets").glob("*/*.json"))
    assert len(paths) > 10 and all({"TRAIN_SET", "TEST_SET"} <= read_partition(path).keys() for path in paths)


@pytest.mark.parametrize(
    ("made", "asked", "said"),
    [
        ("root/01/nm/000/a.pkl", "root", None),
        ("root/01/nm/000/a.pkl", "", "wrong layout, for example root/01/nm/000/a.pkl; .*: give a folder deeper"),
        (
            "root/01/nm/000/a.pkl",
            "root/01",
            "wrong layout, for example nm/000/a.pkl; .*give the folder that holds the ids",
        ),
        ("root/01/nm/000/.a.pkl", "root", "no .pkl file in it; expected <id>/<type>/<view>/"),
        ("root/01/nm/000/a.npy", "root", "no .pkl file in it"),
    ],
)
def test_the_level_of_the_folder(tmp_path, made, asked, said):
    (tmp_path / made).parent.mkdir(parents=True)
    (tmp_path / made).write_bytes(b"x")
    (tmp_path / "root/.hidden/x/y").mkdir(parents=True)
    (tmp_path / "root/Thumbs.db").write_bytes(b"")
    if said is None:
        assert find_sequences(tmp_path / asked, ".pkl", "--data") == ["01/nm/000"]
    else:
        with pytest.raises(KpstraError, match=said):
            find_sequences(tmp_path / asked, ".pkl", "--data")


def test_a_gallery_in_place_of_probes():
    """CCGR-MINI's partition: what is cut from it keeps the gallery, and the others are probes."""
    sets = {
        "TRAIN_SET": ["01"],
        "TEST_SET": ["02", "03", "99"],
        "GALLERY_SET": ["02-bg-01-000", "03-nm-01-090", "99-a-b"],
    }
    kept = restricted(sets, NAMES, "CCGR-MINI.json")
    assert kept["GALLERY_SET"] == ["02-bg-01-000", "03-nm-01-090"] and kept["TEST_SET"] == ["02", "03"]
    assert "2 test identities, 10 probes, 2 gallery sequences" in summary(kept, NAMES)
