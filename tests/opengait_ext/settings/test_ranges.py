"""Bounds of settings: the least and the largest value pass, the one beyond is refused by name."""

import copy
import math

import pytest
import yaml

from opengait_ext.settings.ranges import MOST, WHOLE, check_ranges, check_sampler
from plugins.common.settings import resolve_config
from plugins.errors import KpstraError

SETTINGS = yaml.safe_load(resolve_config("opengait/pets_swingait2d_kprpe").read_text(encoding="utf-8"))


def with_value(key, value):
    settings = copy.deepcopy(SETTINGS)
    *sections, last = key.split(".")
    node = settings
    for section in sections:
        node = node[section]
    node[last] = value
    return settings


def refused(key, value, expected):
    with pytest.raises(KpstraError, match=rf"^x\.yaml: {key}: {value!r}: expected {expected}$"):
        check_ranges(with_value(key, value), "x.yaml")


@pytest.mark.parametrize("key", WHOLE)
def test_whole_numbers(key):
    least, most = WHOLE[key], MOST.get(key.rpartition(".")[2])
    check_ranges(with_value(key, least), "x.yaml")
    check_ranges(with_value(key, None), "x.yaml")
    for value in (least - 1, least + 0.5, True):
        refused(key, value, f"a whole number of at least {least}")
    if most is not None:
        check_ranges(with_value(key, most), "x.yaml")
        refused(key, most + 1, f"at most {most}")


@pytest.mark.parametrize("key", ["optimizer_cfg.lr", "optimizer_cfg.weight_decay"])
@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_not_a_number(key, value):
    refused(key, value, "a number")


@pytest.mark.parametrize("value", [0, -0.1, True])
def test_learning_rate(value):
    refused("optimizer_cfg.lr", value, "a number above 0")


def test_restore_hint_may_be_a_path():
    check_ranges(with_value("evaluator_cfg.restore_hint", "weights.pt"), "x.yaml")


@pytest.mark.parametrize("size", [1, [2], [4, 8]])
def test_batches(size):
    check_sampler({"batch_size": size}, "sampler")


@pytest.mark.parametrize("size", [0, [], [4, 0], [1, 2, 3], "4", True])
def test_batches_of_nothing(size):
    with pytest.raises(KpstraError, match=r"^sampler.batch_size: .* expected a whole number, or \[identities"):
        check_sampler({"batch_size": size}, "sampler")


def test_longest_below_shortest():
    check_sampler({"frames_num_min": 5, "frames_num_max": 5}, "sampler")
    with pytest.raises(KpstraError, match=r"^sampler.frames_num_max: 4: below frames_num_min 5$"):
        check_sampler({"frames_num_min": 5, "frames_num_max": 4}, "sampler")
