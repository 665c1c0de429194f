"""The host's transforms by our steps: the same numbers and draws, and the host's where they are not."""

import random

import numpy as np
import pytest

from opengait_ext.data.joint_transform.hosts import LikeTheHosts, like_the_hosts

pytest_plugins = ["host_folders"]
RECIPE = {
    "type": "Compose",
    "trf_cfg": [
        {"type": "RandomPerspective", "prob": 0.5},
        {"type": "BaseSilCuttingTransform"},
        {"type": "RandomHorizontalFlip", "prob": 0.5},
        {"type": "RandomRotate", "prob": 0.5},
    ],
}


def frames(seed=0):
    return np.random.default_rng(seed).integers(0, 256, (6, 64, 64)).astype(np.uint8)


@pytest.mark.parametrize("node", [RECIPE, {"type": "BaseSilCuttingTransform"}, {"type": "BaseSilTransform"}])
def test_as_the_host(host, node):
    """For 20 states of the generator, bit for bit in float32; the look at the host leaves the generator alone."""
    theirs = host("data.transform").get_transform(node)
    ours, waited = like_the_hosts(node, theirs), 0
    for seed in range(20):
        random.seed(seed)
        expected, state = theirs(frames(seed)), random.getstate()
        random.seed(seed)
        found, divisor = ours.undivided(frames(seed))
        assert random.getstate() == state
        waited += divisor is not None
        quotients = found if divisor is None else np.divide(found, np.float32(divisor), dtype=np.float32)
        assert np.array_equal(quotients.astype(np.float32), expected.astype(np.float32))
    assert ours.alike == {(64, 64): True} and waited


def test_a_host_that_does_otherwise_is_called(host, monkeypatch):
    """Its numbers, not ours."""
    transform = host("data.transform")
    theirs = transform.get_transform(RECIPE)
    ours = like_the_hosts(RECIPE, theirs)
    monkeypatch.setattr(transform.RandomRotate, "__call__", lambda self, seq: seq + random.uniform(0, 1))
    random.seed(3)
    expected = theirs(frames())
    random.seed(3)
    found, divisor = ours.undivided(frames())
    assert divisor is None and np.array_equal(found, expected) and ours.alike == {(64, 64): False}


def test_other_transforms_and_data_are_the_hosts(host):
    """Steps that we do not have, arguments that ours do not take, and other data than bytes (s, H, W)."""
    transform = host("data.transform")
    for node in ({"type": "NoOperation"}, {"type": "BaseSilTransform", "img_shape": [64, 64]}):
        theirs = transform.get_transform(node)
        assert like_the_hosts(node, theirs) is theirs
    theirs = transform.get_transform({"type": "BaseSilTransform"})
    ours = like_the_hosts({"type": "BaseSilTransform"}, theirs)
    assert isinstance(ours, LikeTheHosts)
    for given in (frames().astype(np.float64), frames()[:, None]):
        found, divisor = ours.undivided(given)
        assert divisor is None and np.array_equal(found, given / 255.0) and not ours.alike
