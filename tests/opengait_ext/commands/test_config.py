"""`opengait-ext config`: what it prints is what a run takes, and fits one's own data."""

import json
from pathlib import Path

import programs
import pytest
import yaml
from gait_data import EMBEDDED, write_data

from opengait_ext.settings.load import recipe
from opengait_ext.settings.own_data import settings_for
from plugins.errors import KpstraError

NAME = "walkers_swingait2d_kprpe"


def config(*argv, **options):
    return programs.run("opengait_ext", "-m", "opengait_ext", "config", *argv, "--host", str(EMBEDDED), **options)


def test_the_printed_settings_are_read_back(tmp_path):
    """Settings in both spellings are in it, every value of the recipe is, and a second reading changes nothing."""
    printed = config(NAME, "model_cfg.kprpe.formulation", "static", "optimizer_cfg.lr=1e-5").stdout
    settings, given = yaml.safe_load(printed), recipe(NAME)
    assert settings["model_cfg"]["kprpe"] == {**given["model_cfg"]["kprpe"], "formulation": "static"}
    assert settings["optimizer_cfg"]["lr"] == 1e-5 and settings["evaluator_cfg"]["metric"] == "euc"
    assert settings["loss_cfg"] == given["loss_cfg"]
    (tmp_path / "my.yaml").write_text(printed)
    assert config(str(tmp_path / "my.yaml")).stdout == printed


def test_one_of_ones_own_data(tmp_path):
    root = write_data(tmp_path, frames=3)
    (root / "partition.json").rename(root / "data" / "partition.json")
    settings = yaml.safe_load(config(NAME, "--for", str(root / "data"), "trainer_cfg.total_iter=7").stdout)
    data = settings["data_cfg"]
    assert (data["dataset_root"], data["dataset_name"]) == (str(root / "data"), "data")
    assert data["dataset_partition"] == str(root / "data" / "partition.json")
    trained = json.loads(Path(data["dataset_partition"]).read_text())["TRAIN_SET"]
    there = [identity for identity in trained if (root / "data" / identity).is_dir()]
    assert settings["model_cfg"]["SeparateBNNecks"]["class_num"] == len(there) < 8
    assert settings["trainer_cfg"]["sampler"]["batch_size"] == [len(there), 4]
    assert settings["trainer_cfg"]["total_iter"] == settings["evaluator_cfg"]["restore_hint"] == 7
    assert settings["trainer_cfg"]["restore_hint"] == 0


def test_the_start_of_one_s_own_data(tmp_path, monkeypatch):
    """Weights trained on it, or those that the recipe names, if they are there; and where none are it is said."""
    root = write_data(tmp_path, frames=1)
    (root / "partition.json").rename(root / "data" / "partition.json")
    said = config(NAME, "--for", str(root / "data")).stderr
    file = "SwinGait2DTrunk/SwinGait2DTrunk_walkers/checkpoints/SwinGait2DTrunk_walkers-00400.pt"
    named = f"output/walkers/{file}"
    assert said.strip() == f"trainer_cfg.restore_hint: 0, random weights: there is no ./{named} of this data"
    monkeypatch.chdir(tmp_path)
    for found in (named, f"output/data/{file}"):
        Path(found).parent.mkdir(parents=True)
        Path(found).touch()
        assert f"trainer_cfg.restore_hint={found}" in settings_for(root / "data", recipe(NAME))
    assert "trainer_cfg.restore_hint=weights.pt" not in settings_for(
        root / "data", {"trainer_cfg": {"restore_hint": "weights.pt", "sampler": {}}}
    )


def test_data_that_cannot_be_used(tmp_path):
    with pytest.raises(KpstraError, match=r"^--for .*: no such folder"):
        settings_for(tmp_path / "no", {})
    root = write_data(tmp_path, frames=3)
    with pytest.raises(KpstraError, match=r"no partition\.json in it; make one with `opengait-ext partition --data"):
        settings_for(root / "data", {})
    sets = {"TRAIN_SET": ["other"], "TEST_SET": []}
    (root / "data" / "partition.json").write_text(json.dumps(sets))
    with pytest.raises(KpstraError, match="TRAIN_SET: none of its identities is in"):
        settings_for(root / "data", {})


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["nope.yaml"], "nope.yaml: no such configuration, neither from the working directory nor shipped"),
        (["walkers_kprpe"], "(did you mean 'walkers_swingait2d_kprpe'?)"),
        (["walkers_static_image"], "; it is a row of leaderboard_walkers: opengait/walkers_swingait2d_kprpe model_cfg"),
        ([NAME, "model_cfg.kprpe.grid"], "model_cfg.kprpe.grid: expected a value after it"),
        ([NAME, "--hots", "x"], "--hots: no such option (did you mean '--host'?)"),
        ([], "the following arguments are required: NAME"),
    ],
)
def test_mistakes(argv, said):
    error = config(*argv, expect=2).stderr
    assert error.startswith("opengait-ext config: error: ") and said in error and error.count("\n") == 1
    assert "data.yaml" not in error
