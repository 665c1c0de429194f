"""``opengait-ext partition``: a file that runs can use, and one line for each mistake."""

import json
from pathlib import Path

from gait_data import write_data

from opengait_ext.__main__ import main
from opengait_ext.data.partition import read_partition


def test_made_and_cut_from_a_published_one(tmp_path, capsys):
    data = write_data(tmp_path, frames=1) / "data"
    assert main(["partition", "--data", str(data), "--train", "0.5"]) == 0
    assert "4 training identities, 4 test identities, 4 probes, 12 gallery sequences" in capsys.readouterr().out
    made = read_partition(data / "partition.json")
    assert made == read_partition(tmp_path / "partition.json")
    published = {**made, "TRAIN_SET": [*made["TRAIN_SET"], "9999"]}
    (tmp_path / "published.json").write_text(json.dumps(published))
    output = tmp_path / "folder" / "cut.json"
    assert (
        main(["partition", "--data", str(data), "--like", str(tmp_path / "published.json"), "--output", str(output)])
        == 0
    )
    assert read_partition(output) == made


def test_mistakes_are_one_line(tmp_path, capsys):
    data = write_data(tmp_path, frames=1) / "data"
    (tmp_path / "broken.json").write_text("[")
    there = str(tmp_path / "partition.json")
    for options, said in (
        (["--data", str(tmp_path / "no")], "--data"),
        (["--data", str(tmp_path)], "give a folder deeper"),
        (["--data", str(data), "--train", "x"], "--train x: x not in the data"),
        (["--data", str(data), "--probes", "x"], "--probes x: no sequence of a test identity"),
        (["--data", str(data), "--like", str(tmp_path / "broken.json")], "broken.json: not a readable partition"),
        (["--data", str(data), "--like", "nope.json"], "nope.json: not a readable partition"),
        (["--data", str(data), "--train", "3", "--output", there], "is there already and differs"),
        (["--data", str(data), "--output", str(tmp_path)], "is there already and differs"),
        (["--data", str(data), "--output", f"{there}/a.json"], "cannot be written"),
    ):
        before = sorted(path for path in Path(tmp_path).rglob("*.json"))
        assert main(["partition", *options]) == 2
        error = capsys.readouterr().err
        assert error.count("\n") == 1 and error.startswith("opengait-ext partition: error: ") and said in error, error
        assert sorted(path for path in Path(tmp_path).rglob("*.json")) == before
