"""Only forms with interaction change the biases of queries differently when a joint moves."""

import pytest
import torch

from plugins.benchmarks.toy.interaction import FORMS, JOINTS, change, fit, wanted


@pytest.fixture(scope="module")
def fitted():
    return {formulation: fit(formulation, steps=40) for formulation in FORMS}


def test_in_first_order_all_queries_change_alike(fitted):
    before, after = torch.rand(2, JOINTS, 2)
    for formulation, rpe in fitted.items():
        result = change(rpe, before, after)
        moved = result.after - result.before
        of_bucket = [moved[rpe.index == bucket] for bucket in rpe.index.unique()]
        differences = max((values.max() - values.min()).item() for values in of_bucket)
        assert (differences < 1e-5) == (formulation == "multihead"), (formulation, differences)


def test_interaction_explains_more_and_the_wanted_bias_explains_itself(fitted):
    before, after = torch.rand(2, JOINTS, 2)
    first, second, _ = (change(rpe, before, after).explained for rpe in fitted.values())
    assert 0 < first < second < 1
    rpe = fitted["multihead"]
    rpe.bias = lambda points, layer: wanted(rpe, points).unsqueeze(1)
    assert change(rpe, before, after).explained == 1.0
