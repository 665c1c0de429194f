"""``model_cfg``: every missing key in one line, unknown ones with the nearest known, and what they hold."""

import copy

import pytest
import yaml

from opengait_ext.settings.model import SECTIONS, check_model
from plugins.common.settings import resolve_config
from plugins.errors import KpstraError

CONFIGS = [f"opengait/{name}" for name in ("pets_swingait2d_kprpe", "swingait2d_gait3d", "deepgaitv2_2d_gait3d")]


def model_cfg(config=CONFIGS[0]):
    return yaml.safe_load(resolve_config(config).read_text())["model_cfg"]


@pytest.mark.parametrize("config", CONFIGS)
def test_what_is_shipped_passes(config):
    model = model_cfg(config)
    assert model["model"] in SECTIONS
    check_model(model, "x")


def test_what_a_model_builds_itself_is_refused():
    """Necks of DeepGaitV2's relatives have the host's sizes, a SwinGait3D its P3D blocks."""
    deep = {**model_cfg(CONFIGS[2]), "model": "DeepGaitV2KPRPE"}
    with pytest.raises(KpstraError, match=r"SeparateBNNecks\.parts_num: unknown key"):
        check_model({**deep, "SeparateBNNecks": {"class_num": 9, "parts_num": 31}}, "x")
    swin = {**model_cfg(), "model": "SwinGait3DKPRPE"}
    with pytest.raises(KpstraError, match=r"Backbone\.mode: '2d': SwinGait3DKPRPE has 'p3d' blocks"):
        check_model(swin, "x")
    check_model({**swin, "Backbone": {**swin["Backbone"], "mode": "p3d"}}, "x")


def test_models_of_the_host_are_left_to_it():
    check_model({"model": "GaitSet", "anything": 3}, "x")
    check_model({"model": ["SwinGait2D"]}, "x")


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("SeparateBNNecks.class_nums", 9, r"SeparateBNNecks.class_nums: unknown key \(did you mean 'class_num'\?\)"),
        ("backbon", 3, r"backbon: unknown key \(did you mean 'Backbone'\?\)"),
        ("Backbone.layer", [1], r"Backbone.layer: unknown key \(did you mean 'layers'\?\)"),
        ("Backbone", {}, "Backbone: `in_channels`, `layers`, `channels` are missing"),
        ("Backbone", 3, "Backbone: 3: expected keys and values"),
        ("Backbone.layers", [1, 2], r"Backbone.layers: \[1, 2\]: expected 4 or more whole numbers from 1"),
        ("Backbone.channels", [0, 8], r"Backbone.channels: \[0, 8\]: expected 2 or more whole numbers from 1"),
        ("Backbone.in_channels", "1", "Backbone.in_channels: '1': expected a whole number of at least 1"),
        ("SeparateBNNecks.class_num", True, "SeparateBNNecks.class_num: True: expected a whole number of at least 1"),
        ("SeparateBNNecks.class_num", -1, "SeparateBNNecks.class_num: -1: expected a whole number of at least 1"),
    ],
)
def test_mistakes(key, value, said):
    model = copy.deepcopy(model_cfg())
    *sections, last = key.split(".")
    node = model[sections[0]] if sections else model
    node[last] = value
    with pytest.raises(KpstraError, match=rf"^x\.yaml: model_cfg\.{said}") as caught:
        check_model(model, "x.yaml")
    assert len(str(caught.value)) < 120


def test_every_missing_key_in_one_short_line():
    with pytest.raises(KpstraError) as caught:
        check_model({"model": "SwinGait2D"}, "x.yaml")
    assert str(caught.value) == "x.yaml: model_cfg: `Backbone`, `SeparateBNNecks`, `bin_num` are missing"


def test_a_part_of_another_model_is_not_ignored():
    with pytest.raises(KpstraError, match=r"model_cfg.kprpe: unknown key; known: transformer, model"):
        check_model({**model_cfg(), "model": "SwinGait2D"}, "x.yaml")
