"""A user's own images as a data set by name: what is read, and one line for every bad name or row."""

import shutil

import pytest
from reid_data import arguments

from plugins.errors import KpstraError
from reid_ext.__main__ import main
from reid_ext.data.own import OwnImages, find_source, read_source, register_source
from reid_ext.host import torchreid

ROWS = """path,person,camera,split
a.jpg,ann,north,train
b.jpg,bob,south,train
c.jpg,10,north,query
d.jpg,9,south,gallery
e.jpg,10,south,gallery
f.jpg,-1,south,gallery
"""


@pytest.fixture
def table(tmp_path):
    for name in "abcdef":
        (tmp_path / f"{name}.jpg").touch()
    path = tmp_path / "people.csv"
    path.write_text(ROWS)
    return path


def test_a_table_is_read_and_numbered(table):
    register_source("people")
    data = torchreid.data.datasets.init_image_dataset("people", root=str(table.parent), mode="train")
    file = {name: str(table.parent / f"{name}.jpg") for name in "abcde"}
    assert data.train == [(file["a"], 0, 0, 0), (file["b"], 1, 1, 0)]
    assert data.query == [(file["c"], 1, 0, 0)]  # 9 comes before 10
    assert data.gallery == [(file["d"], 0, 1, 0), (file["e"], 1, 1, 0)]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("a.jpg,ann,north,tset", "line 8: split: 'tset' is not one of train, query, gallery"),
        ("gone.jpg,ann,north,train", "line 8: path: .*gone.jpg: no such file"),
        ("a.jpg,,north,train", "line 8: person is empty"),
        ("a.jpg,ann", "line 8: camera is empty"),
        ("x,y,z,w\na.jpg,ann,north,", r"line 8: split: 'w'.*\(the first of 2\)"),
    ],
)
def test_bad_rows(table, row, message):
    table.write_text(f"{ROWS}{row}\n")
    with pytest.raises(KpstraError, match=rf"people\.csv: {message}"):
        read_source(table)


@pytest.mark.parametrize(
    ("text", "message"), [("", "no column path, person"), ("path;person\n", "no column"), ("\xff", "no column")]
)
def test_bad_tables(table, text, message):
    table.write_bytes(text.encode("utf-8"))
    with pytest.raises(KpstraError, match=message):
        read_source(table)
    table.write_bytes(b"path,person,camera,split\n\xff,a,b,train\n")
    with pytest.raises(KpstraError, match="not readable as CSV in UTF-8"):
        read_source(table)


@pytest.fixture
def folder(market_root, tmp_path):
    """The shipped crops under another name; two people of other numbers than Market-1501's."""
    shutil.copytree(market_root / "market1501" / "Market-1501-v15.09.15", tmp_path / "mine")
    for path in list((tmp_path / "mine").glob("*/0009_*")):
        path.rename(path.with_name(path.name.replace("0009_c", "70009_c1")))
    return tmp_path / "mine"


def test_a_folder_trains_and_tests_by_name(folder, tmp_path, capsys):
    own = ["train.max_epoch", "1", "data.sources", "['mine']", "data.targets", "['mine']"]
    assert main(arguments(tmp_path, tmp_path / "log", *own)) == 0
    out = capsys.readouterr().out
    assert "Training on mine: 130 images of 4 people" in out and "Test on mine: 15 queries, 130 gallery images" in out
    assert "\nmine  " in out


def test_a_bad_name_in_a_folder(folder):
    (folder / "query" / "photo.jpg").touch()
    with pytest.raises(KpstraError, match=r"query/photo.jpg: its name does not begin with person and camera"):
        read_source(folder)


def test_one_split_serves_where_the_others_are_not_asked_for(folder, tmp_path, capsys):
    shutil.rmtree(folder / "query")
    shutil.rmtree(folder / "bounding_box_test")
    own = ["data.sources", "['mine']", "data.targets", "['mine']"]
    assert main(arguments(tmp_path, tmp_path / "log", *own)) == 2
    assert "data.targets: 'mine'" in (err := capsys.readouterr().err) and "holds no query images" in err
    assert issubclass(type("mine", (OwnImages,), {}), torchreid.data.ImageDataset)
    data = type("mine", (OwnImages,), {})(root=str(tmp_path), mode="train", combineall=True)
    assert len(data.train) == 130


def test_nothing_of_that_name(tmp_path, capsys):
    assert find_source(tmp_path, "nobody") is None
    assert main(arguments(tmp_path, tmp_path / "log", "data.sources", "['nobody']")) == 2
    err = capsys.readouterr().err
    assert "'nobody' is not one of market1501" in err and f"{tmp_path}/nobody.csv is there" in err


def test_people_of_the_queries_that_are_trained_on_are_told(table, capsys):
    from reid_ext.data.own import check_source

    table.write_text(ROWS.replace("a.jpg,ann", "a.jpg,10"))
    check_source(table.parent, "people", "data.sources")
    assert not capsys.readouterr().out  # told once, of the targets
    check_source(table.parent, "people", "data.targets")
    assert "1 of 1 query people are trained on too" in capsys.readouterr().out


def test_a_registered_name_that_is_nowhere(tmp_path):
    """As a researcher's own script finds it, without the command line's checks."""
    register_source("people_mistyped")
    with pytest.raises(KpstraError, match=r"data set people_mistyped: neither .*/people_mistyped/\{bounding_box_train"):
        torchreid.data.datasets.init_image_dataset("people_mistyped", root=str(tmp_path))
