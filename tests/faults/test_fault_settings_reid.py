"""Settings of torchreid runs with one value replaced by something else: they train, or one line names what is wrong."""

import tempfile
from pathlib import Path

import odd_values
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from torch.utils.data import DataLoader

from plugins.common.settings import flatten
from plugins.errors import KpstraError
from reid_ext.settings.load import get_default_config, load_config
from reid_ext.training import run as training

KIND = "settings (torchreid): wrong types, unknown keys, values out of range"
DATA = Path(__file__).parents[1] / "data" / "pets-mini"
BASE = {
    "model": {"name": "mobilenetv2_x1_0_stra", "pretrained": False},
    "data": {"root": str(DATA), "height": 32, "width": 16, "workers": 0, "transforms": ["random_flip"]},
    "train": {"max_epoch": 1, "batch_size": 64},
    "loss": {"name": "softmax"},
    "use_gpu": False,
}
KEYS = sorted(flatten(get_default_config()))
UNTRIED = {"use_gpu", "train.max_epoch", "data.height", "data.width"}  # need a GPU; or need not end within the hour
VALUES = [*odd_values.VALUES, "RENAMED"]


def changed(key, value):
    """The settings with one value replaced or under a misspelt key."""
    settings = {name: dict(part) if isinstance(part, dict) else part for name, part in BASE.items()}
    *sections, last = key.split(".")
    node = settings
    for name in sections:
        node = node.setdefault(name, {})
    node[f"{last}x" if value == "RENAMED" else last] = 1 if value == "RENAMED" else value
    return settings


@pytest.fixture
def in_process(monkeypatch):
    """Loaders without worker processes, however many are asked for."""
    init = DataLoader.__init__
    monkeypatch.setattr(DataLoader, "__init__", lambda self, *a, num_workers=0, **k: init(self, *a, **k))


@given(key=st.sampled_from([key for key in KEYS if key not in UNTRIED]), value=st.sampled_from(VALUES))
@pytest.mark.slow
def test_one_value_replaced(tmp_path, monkeypatch, record, in_process, key, value):
    monkeypatch.chdir(tempfile.mkdtemp(dir=tmp_path))  # a run begins its own
    Path("c.yaml").write_text(yaml.safe_dump(changed(key, value)), encoding="utf-8")
    try:
        training.run(load_config("c.yaml"))
    except KpstraError as error:
        diverged = "no checkpoint is written: model: not finite" in str(error)  # by a huge learning rate
        assert key.rpartition(".")[2] in str(error) or (diverged and value == 10**9)
        record(KIND, "run ended: weights not finite" if diverged else "error names the key")
    else:
        record(KIND, "valid: trained")
