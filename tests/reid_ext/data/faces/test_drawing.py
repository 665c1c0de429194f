"""`reid-ext pairs`: different pairs in folds, half of one person, readable as a data set to test on."""

import pytest
from face_files import write_folders

from plugins.errors import KpstraError
from reid_ext.__main__ import main
from reid_ext.data.faces.drawing import draw_pairs
from reid_ext.data.own import find_source, layout_of


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data") / "faces"
    write_folders(folder, people=5, images=4, size=2)
    return folder


def test_pairs_are_different_and_told_apart(folder):
    pairs = draw_pairs(folder, 60)
    assert len({frozenset(pair[:2]) for pair in pairs}) == 60
    assert all((first.parent == second.parent) == same for first, second, same in pairs)
    assert [same for *_, same in pairs] == 10 * [True, True, True, False, False, False]
    assert draw_pairs(folder, 60) == pairs != draw_pairs(folder, 60, 1)
    assert len(draw_pairs(folder, 40, 2)) == 40


def test_all_pairs_of_one_person_are_drawn_alike(folder):
    """Each of the 30 is drawn in two thirds of the draws of 20."""
    drawn = [pair for seed in range(60) for pair in draw_pairs(folder, 40, seed) if pair[2]]
    counts = [drawn.count(pair) for pair in {*drawn}]
    assert len(counts) == 30 and min(counts) >= 25 and max(counts) <= 55


def test_the_command_writes_a_data_set(folder, capsys):
    output = folder.parent / "pairs.csv"
    assert main(["pairs", str(folder), "--number", "20", "--output", str(output)]) == 0
    assert "20 pairs, half of one person; " in capsys.readouterr().out
    source = find_source(folder.parent, "pairs")
    images, truth = layout_of(source).read(source)["query"], layout_of(source).truth(source)
    expected = draw_pairs(folder, 20)
    assert [image.path for image in images] == [str(image) for pair in expected for image in pair[:2]]
    assert truth.tolist() == [True, False] * 10


@pytest.mark.parametrize(
    ("number", "message"),
    [
        (30, "--number 30: expected a multiple of 20"),
        (0, "--number 0: expected a multiple of 20"),
        (80, "--number 80: .* has 30 pairs of one person, fewer than 40"),
    ],
)
def test_numbers_that_cannot_be_drawn(folder, number, message):
    with pytest.raises(KpstraError, match=message):
        draw_pairs(folder, number)


def test_a_missing_folder_and_another_name(folder, tmp_path, capsys):
    with pytest.raises(KpstraError, match="none: no such folder"):
        draw_pairs(tmp_path / "none", 20)
    assert main(["pairs", str(folder), "--number", "20", "--seed", "-1", "--output", str(tmp_path / "pairs.csv")]) == 2
    assert "--seed -1: expected" in capsys.readouterr().err
    assert main(["pairs", str(folder), "--number", "20", "--output", str(tmp_path / "pairs.txt")]) == 2
    assert "--output " in capsys.readouterr().err and not (tmp_path / "pairs.txt").exists()
