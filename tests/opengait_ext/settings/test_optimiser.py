"""Arguments of the optimiser: those that reach it are taken, those that the host drops are told."""

import pytest

from opengait_ext.settings.optimiser import without_effect

DEFAULTS = {"solver": "SGD", "lr": 0.1, "momentum": 0.9, "weight_decay": 0.0005}


def told(model, **given):
    settings = {"model_cfg": {"model": model}, "optimizer_cfg": {**DEFAULTS, **given}}
    return list(without_effect(settings, DEFAULTS, ("lr_factors",)))


@pytest.mark.parametrize("model", ["SwinGait2DKPRPE", "DeepGaitV2KPRPE", "DeepGaitV2"])
def test_what_reaches_the_optimiser(model):
    assert not told(model, momentum=0.5, nesterov=True, lr_factors={"heads": 2})
    assert not told(model, solver="AdamW", betas=[0.9, 0.99], eps=1e-6)


def test_what_opengaits_swingait_drops():
    """The host's default momentum is not given."""
    assert not told("SwinGait", weight_decay=0.1) and not told("SwinGait", solver="AdamW", lr=0.01)
    assert told("SwinGait", nesterov=True) == [
        "optimizer_cfg.nesterov: has no effect: OpenGait does not pass it on to SGD for SwinGait"
    ]
    assert len(told("SwinGait", solver="AdamW", betas=[0.9, 0.99], eps=1e-6)) == 2


def test_an_argument_by_keyword_alone_reaches_the_optimiser_in_our_models():
    assert not told("SwinGait2D", maximize=True) and len(told("DeepGaitV2", maximize=True)) == 1


def test_an_argument_of_another_optimiser():
    assert told("SwinGait2D", solver="AdamW", momentum=0.5) == [
        "optimizer_cfg.momentum: has no effect: AdamW does not take it; give optimizer_cfg.solver first"
    ]
