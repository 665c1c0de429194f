"""What a host must offer: both hosts do; a name that is gone, or has other parameters, is named in one line."""

import logging
import re
import shutil
import subprocess

import pytest
from gait_data import run, write_data
from host_folders import EMBEDDED, checkout, load_host

from opengait_ext.host import active
from opengait_ext.host.active import activate, model_class
from opengait_ext.host.contract import MODELS_CONTRACT, check_contract
from opengait_ext.host.find import COMMIT, commit_of, find_host
from plugins.errors import KpstraError

pytest_plugins = ["host_folders"]


def changed(folder, file, before, after):
    """A copy of the embedded host in which one line reads otherwise."""
    shutil.copytree(EMBEDDED, folder)
    path = folder / "opengait" / file
    text = path.read_text(encoding="utf-8")
    assert before in text
    path.write_text(text.replace(before, after), encoding="utf-8")
    return folder


def test_both_hosts_offer_all(host):
    assert host.active.datasets.DataSet is host("data.dataset").DataSet
    assert host.active.base_model.BaseModel is host("modeling.base_model").BaseModel
    check_contract(host, "host", None, MODELS_CONTRACT)
    assert model_class(host.active, "SwinGait2DKPRPE").__module__ == "opengait_ext.models.kprpe"


def test_the_tested_commit_is_known():
    assert commit_of(find_host(str(checkout()))) == COMMIT
    assert commit_of(find_host("embedded")) is None


CHANGES = {
    "modeling.base_model.BaseModel.inputs_pretreament is missing": (
        "modeling/base_model.py",
        "inputs_pretreament",
        "inputs_pretreatment",
    ),
    "modeling.base_model.BaseModel.get_loader takes (data_cfg, training), expected (data_cfg, train)": (
        "modeling/base_model.py",
        "def get_loader(self, data_cfg: Mapping, train: bool = True)",
        "def get_loader(self, data_cfg: Mapping, training: bool = True)",
    ),
    "utils.init_seeds takes (rank, seed, cuda_deterministic), expected (seed)": (
        "utils/common.py",
        "def init_seeds(seed",
        "def init_seeds(rank: int = 0, seed",
    ),
    "data.dataset.DataSet takes (data_cfg, training, root), expected (data_cfg, training)": (
        "data/dataset.py",
        "def __init__(self, data_cfg: Mapping, training: bool)",
        "def __init__(self, data_cfg: Mapping, training: bool, root: str)",
    ),
}


@pytest.mark.parametrize("message", CHANGES)
def test_a_changed_name_is_named(tmp_path, group, message):
    root = changed(tmp_path / "host", *CHANGES[message])
    with pytest.raises(KpstraError, match=re.escape(f"{message}; tested with OpenGait {COMMIT[:7]}")), load_host(root):
        pass


def test_a_changed_name_ends_a_run_in_one_line(tmp_path):
    """Before any data is read."""
    root = changed(tmp_path / "host", "evaluation/evaluator.py", "def evaluate_Gait3D", "def evaluate_gait3d")
    errors = run(write_data(tmp_path, frames=3), host=str(root), expect=2).stderr
    assert "evaluation.evaluator.evaluate_Gait3D is missing" in errors and len(errors.splitlines()) == 1


def test_models_that_our_models_build_on(tmp_path, group):
    root = changed(tmp_path / "host", "modeling/modules.py", "SeparateFCs", "PartFCs")
    with load_host(root) as host, pytest.raises(KpstraError, match=r"SeparateFCs"):
        model_class(host.active, "SwinGait2D")


def test_another_commit_is_warned_of(tmp_path, group, monkeypatch, caplog):
    root = tmp_path / "host"
    shutil.copytree(EMBEDDED, root)
    git = ["git", "-C", str(root), "-c", "user.name=a", "-c", "user.email=a@b"]
    for step in (["init", "-q"], ["add", "."], ["commit", "-q", "-m", "a"]):
        subprocess.run([*git, *step], check=True)
    commit = commit_of(find_host(str(root)))
    monkeypatch.setattr(active, "_told", set())
    with caplog.at_level(logging.WARNING), load_host(root) as host:
        assert activate(find_host(str(root))).utils is host.active.utils
    assert [f"is at commit {commit[:7]}; tested with {COMMIT[:7]}" in record.message for record in caplog.records] == [
        True
    ]
