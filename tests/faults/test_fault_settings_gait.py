"""Settings of OpenGait runs with one value replaced by something else: they train, or one line names what is wrong."""

import copy
import importlib

import odd_values
import pytest
import yaml
from gait_data import write_data
from hypothesis import given
from hypothesis import strategies as st

from opengait_ext.settings.load import load_settings, resolve_paths
from opengait_ext.training.hosted import hosted_class
from opengait_ext.training.session import adapt
from plugins.common.settings import resolve_config
from plugins.errors import KpstraError

pytest_plugins = ["host_folders"]
KIND = "settings (OpenGait): wrong types, unknown keys, values out of range"
BASE = yaml.safe_load(resolve_config("opengait/pets_swingait2d_kprpe").read_text(encoding="utf-8"))
VALUES = [*odd_values.VALUES, {"type": "x"}, "ü\n", "DELETED", "RENAMED"]


def leaves(node, path=()):
    if isinstance(node, (dict, list)) and path:
        yield path
    if isinstance(node, (dict, list)):
        for key, value in node.items() if isinstance(node, dict) else enumerate(node):
            yield from leaves(value, (*path, key))
    else:
        yield path


LEAVES = list(leaves(BASE))


def changed(path, value):
    """The settings with one value replaced, left out or under a misspelt key."""
    settings = copy.deepcopy(BASE)
    node = settings
    for key in path[:-1]:
        node = node[key]
    last = path[-1]
    if value == "RENAMED" and isinstance(node, dict):
        node[f"{last}x"] = node.pop(last)
    elif value in ("DELETED", "RENAMED"):
        del node[last]
    else:
        node[last] = value
    return settings


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return write_data(tmp_path_factory.mktemp("gait"), frames=3)


@given(path=st.sampled_from(LEAVES), value=st.sampled_from(VALUES))
def test_one_value_replaced(host, data, tmp_path, monkeypatch, record, path, value):
    config = tmp_path / "c.yaml"
    config.write_text(yaml.safe_dump(changed(path, value)), encoding="utf-8")
    large = value == 10**9 and path[0] == "model_cfg"  # it fits some machines' memory
    overrides = [f"data_cfg.dataset_root={data / 'data'}", f"data_cfg.dataset_partition={data / 'partition.json'}"]
    if "sampler" not in path:
        overrides += ["trainer_cfg.sampler.frames_num_fixed=2", "trainer_cfg.sampler.frames_skip_num=0"]
    monkeypatch.chdir(tmp_path)
    importlib.import_module("modeling.base_model")
    folder = host.active
    messages = importlib.import_module("utils").get_msg_mgr()
    try:
        settings = load_settings(folder, str(config), [] if path == ("data_cfg",) else overrides)
        resolve_paths(settings, folder, "train")
        adapt(settings, "cpu")
        model = hosted_class(folder, settings["model_cfg"]["model"])
        if not large:
            settings["trainer_cfg"].update(total_iter=1, save_iter=2, log_iter=1)
            messages.init_manager(str(tmp_path / "log"), False, 1, 0)
            model.run_train(model(settings, True))
            messages.writer.close()
    except KpstraError as error:
        assert "\n" not in str(error) and any(str(key) in str(error) for key in (*path, "first iteration"))
        record(KIND, "error names the key" if "host cannot" not in str(error) else "error names the section")
    else:
        record(KIND, "valid: trained")
