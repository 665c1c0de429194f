"""Classifier and batches against the training identities."""

import pytest

from opengait_ext.data.batches import check_batches
from plugins.errors import KpstraError

TRIPLET = [{"type": "TripletLoss", "log_prefix": "triplet"}, {"type": "CrossEntropyLoss", "log_prefix": "softmax"}]


def cfgs(classes=4, sampler="TripletSampler", size=(4, 2), losses=TRIPLET):
    return {
        "model_cfg": {"SeparateBNNecks": {"class_num": classes}},
        "trainer_cfg": {"sampler": {"type": sampler, "batch_size": list(size) if isinstance(size, tuple) else size}},
        "loss_cfg": losses,
    }


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (cfgs(classes=3), "class_num: 3: the training set has 4 identities"),
        (cfgs(size=(5, 2)), "5 identities in a batch, but the training set has 4; give .4, 2. or fewer"),
        (cfgs(size=(1, 2)), "expected .identities >= 2"),
        (cfgs(sampler="CommonSampler", size=8), "type: CommonSampler: .* use TripletSampler"),
    ],
)
def test_refused(settings, message):
    with pytest.raises(KpstraError, match=message):
        check_batches(4, settings)


def test_more_classes_than_identities_are_noted():
    (note,) = check_batches(4, cfgs(classes=3000))
    assert "class_num: 3000, but the training set has 4 identities" in note


@pytest.mark.parametrize(
    "settings", [cfgs(), cfgs(size=(2, 9)), cfgs(sampler="CommonSampler", size=8, losses=TRIPLET[1])]
)
def test_allowed(settings):
    assert check_batches(4, settings) == []
