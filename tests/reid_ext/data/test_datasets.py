"""Data is checked before the host could start a download."""

import shutil

import pytest

from plugins.errors import KpstraError
from reid_ext.data.datasets import check_datasets, known_datasets
from reid_ext.settings.load import load_config

INNER = "market1501/Market-1501-v15.09.15"


@pytest.fixture
def tree(tmp_path):
    for folder in ("bounding_box_train", "query", "bounding_box_test"):
        (tmp_path / INNER / folder).mkdir(parents=True)
        for name in ("0002_c1s1_000451_03.jpg", "-1_c3s1_000401_03.jpg", "0000_c6s4_000401_03.jpg"):
            (tmp_path / INNER / folder / name).touch()
    return tmp_path


def check(root, *opts):
    check_datasets(load_config(root=str(root), opts=opts))


def message(root, *opts):
    with pytest.raises(KpstraError) as error:
        check(root, *opts)
    return str(error.value)


def test_shipped_crops_pass(market_root):
    check(market_root)


def test_complete_tree_passes(tree):
    check(tree)


def test_older_layout_without_inner_folder_passes(tree):
    for folder in list((tree / INNER).iterdir()):
        shutil.move(folder, tree / "market1501")
    (tree / INNER).rmdir()
    check(tree)


def test_missing_root_shows_the_tree(tmp_path):
    text = message(tmp_path / "nowhere")
    assert f"{tmp_path}/nowhere/{INNER}/bounding_box_train is missing" in text
    for part in (
        "market1501/",
        "Market-1501-v15.09.15/",
        "bounding_box_train/",
        "query/",
        "bounding_box_test/",
        "PPPP_cCsS_FFFFFF_NN.jpg",
        "--root",
    ):
        assert part in text
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("folder", ["bounding_box_train", "query", "bounding_box_test"])
def test_one_missing_or_empty_folder(tree, folder):
    for image in (tree / INNER / folder).iterdir():
        image.unlink()
    assert f"{INNER}/{folder} holds no .jpg files" in message(tree)
    (tree / INNER / folder).rmdir()
    assert f"{INNER}/{folder} is missing" in message(tree)


@pytest.mark.parametrize("name", ["photo.jpg", "0002_c7s1_000451_03.jpg", "1502_c1s1_000451_03.jpg"])
def test_names_that_the_host_would_choke_on(tree, name):
    (tree / INNER / "query" / name).touch()
    text = message(tree)
    assert name in text
    assert "query" in text


def test_distractors_are_looked_for_when_asked(tree):
    assert f"{INNER}/images is missing" in message(tree, "market1501.use_500k_distractors", "True")


def test_unknown_name_gets_the_nearest(tree):
    text = message(tree, "data.sources", "['market1051']")
    assert "data.sources: 'market1051'" in text
    assert "did you mean 'market1501'" in text


@pytest.mark.parametrize("data_type", ["image", "video"])
def test_every_host_dataset_is_checked(tmp_path, data_type):
    for name in known_datasets(data_type):
        text = message(tmp_path, "data.type", data_type, "data.sources", f"['{name}']")
        assert repr(name) in text
        assert str(tmp_path) in text
