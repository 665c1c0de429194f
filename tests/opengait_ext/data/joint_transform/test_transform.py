"""A division that waits, against one that is done where it stands."""

import random

import numpy as np
import pytest

from opengait_ext.data.joint_transform import build_joint_transform

CUT = {"type": "BaseSilCuttingTransform"}
FLIP = {"type": "RandomHorizontalFlip", "prob": 0.5}
ROTATE = {"type": "RandomRotate", "prob": 0.5}
ERASE = {"type": "RandomErasing", "prob": 0.5}
PIPELINES = {
    "the recipes'": [{"type": "RandomPerspective", "prob": 0.5}, CUT, FLIP, ROTATE],
    "no number needed": [CUT, FLIP, ERASE, {**ERASE, "per_frame": True}],
    "always needed": [CUT, {"type": "DrawJoints"}, FLIP],
    "twice": [CUT, FLIP, {"type": "BaseSilTransform", "divsor": 2.0}],
    "not of float32": [{**CUT, "divsor": 0.3}, FLIP],
    "none": [FLIP, ROTATE],
}


@pytest.mark.parametrize("name", PIPELINES)
def test_the_same_when_divided(name):
    """For 20 states of the generator: the same draws and joints, and bit for bit the same numbers in float32."""
    joint, waits = build_joint_transform(PIPELINES[name], "test"), 0
    for seed in range(20):
        chance = np.random.default_rng(seed)
        silhouettes = chance.integers(0, 256, (5, 64, 64)).astype(np.uint8)
        keypoints = chance.uniform(0, 60, (5, 17, 3)).astype(np.float32)
        given = silhouettes.copy()
        random.seed(seed)
        expected, joints = joint(silhouettes, keypoints)
        state = random.getstate()
        random.seed(seed)
        found, found_joints, divisor = joint.undivided(silhouettes, keypoints)
        assert random.getstate() == state and np.array_equal(joints, found_joints)
        if divisor is not None:
            assert found.dtype == np.uint8
            waits += 1
            exact = float(np.float32(divisor)) == divisor
            found = np.divide(found, np.float32(divisor), dtype=np.float32) if exact else found / divisor
        assert np.array_equal(found.astype(np.float32), expected.astype(np.float32))
        assert np.array_equal(silhouettes, given)
    few, all_wait = {"the recipes'": (1, 19)}, ("no number needed", "not of float32")
    low, high = few.get(name, (20, 20) if name in all_wait else (0, 0))
    assert low <= waits <= high
