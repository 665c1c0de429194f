"""Rates of parts: who has them, which parts, which factors."""

import copy

import pytest
import yaml

from opengait_ext.settings.rates import check_rates
from plugins.common.settings import resolve_config
from plugins.errors import KpstraError

SETTINGS = yaml.safe_load(resolve_config("opengait/walkers_swingait2d").read_text(encoding="utf-8"))


def with_rates(**sections):
    settings = copy.deepcopy(SETTINGS)
    for section, values in sections.items():
        settings[section].update(values)
    return settings


def test_what_is_shipped_passes():
    check_rates(SETTINGS, "x.yaml")
    check_rates(with_rates(optimizer_cfg={"lr_factors": None}), "x.yaml")
    check_rates(with_rates(optimizer_cfg={"lr_factors": {"trunk": 1}}), "x.yaml")


@pytest.mark.parametrize(
    ("factors", "message"),
    [
        ({"head": 3}, r"lr_factors\.head: unknown key \(did you mean 'heads'\?\)"),
        ({"heads": 0}, r"lr_factors\.heads: 0: expected a number above 0"),
        ({"trunk": True}, r"lr_factors\.trunk: True: expected a number above 0"),
        ({"trunk": "1"}, r"lr_factors\.trunk: '1': expected a number above 0"),
        (3, r"lr_factors: 3: expected keys and values"),
    ],
)
def test_mistakes(factors, message):
    with pytest.raises(KpstraError, match=rf"^x\.yaml: optimizer_cfg\.{message}"):
        check_rates(with_rates(optimizer_cfg={"lr_factors": factors}), "x.yaml")


@pytest.mark.parametrize("key", ["optimizer_cfg.lr_factors", "trainer_cfg.iteration_per_epoch"])
def test_a_setting_without_effect_is_refused(key):
    """OpenGait's own models have none of the two."""
    settings = with_rates(model_cfg={"model": "SwinGait"})
    other = {"optimizer_cfg.lr_factors": "trainer_cfg", "trainer_cfg.iteration_per_epoch": "optimizer_cfg"}[key]
    settings[other].pop("iteration_per_epoch" if other == "trainer_cfg" else "lr_factors")
    first = {"optimizer_cfg.lr_factors": "DeepGaitV2KPRPE", "trainer_cfg.iteration_per_epoch": "SwinGait2D"}[key]
    with pytest.raises(KpstraError, match=rf"^x\.yaml: {key}: has no effect on SwinGait; {first}, SwinGait2D"):
        check_rates(settings, "x.yaml")
