"""The settings of KP-RPE: what cannot be right is refused by its key."""

import pytest
from torch import nn

from plugins.errors import KpstraError
from plugins.kprpe import KPRPEConfig, inject_kprpe


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("num_keypoints", "17", "a whole number from 1"),
        ("num_keypoints", 17.0, "a whole number from 1"),
        ("num_keypoints", 0, "a whole number from 1"),
        ("ratio", "1.9", "a number above 0"),
        ("ratio", -1, "a number above 0"),
        ("ratio", float("nan"), "a number above 0"),
        ("feature_size", 7, r"\(H, W\)"),
        ("feature_size", (15, 10, 1), r"\(H, W\)"),
    ],
)
def test_wrong_values_are_named(key, value, expected):
    with pytest.raises(KpstraError, match=f"^kprpe.{key}: .*: expected {expected}"):
        KPRPEConfig.of({"num_keypoints": 17, key: value})


def test_a_switch_is_true_or_false():
    with pytest.raises(KpstraError, match=r"kprpe.scale_bias: 'yes' is not one of True, False"):
        KPRPEConfig(17, scale_bias="yes")


@pytest.mark.parametrize("config", [17, None, "multihead"])
def test_what_is_no_configuration_is_refused(config):
    with pytest.raises(KpstraError, match=r"kprpe: .*: expected a KPRPEConfig or a mapping such as"):
        KPRPEConfig.of(config)


def test_lists_of_a_yaml_are_sizes():
    assert KPRPEConfig.of({"num_keypoints": 17, "feature_size": [15, 10]}).feature_size == [15, 10]


def test_only_a_built_network_can_be_injected():
    with pytest.raises(KpstraError, match=r"inject_kprpe: .*Transformer.*: expected a built network"):
        inject_kprpe(nn.Transformer, {"num_keypoints": 17})
