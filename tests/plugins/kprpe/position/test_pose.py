"""The mean pose and its spread: against NumPy, with absent joints, and what is refused."""

import warnings

import numpy as np
import pytest
import torch

from plugins.errors import KpstraError
from plugins.kprpe import KeypointRPE
from plugins.kprpe.position.pose import LEAST_SPREAD, MeanPose, moments, unwarned


def test_moments_are_numpys():
    points = torch.rand(4, 5, 3, 2)
    mean, spread = moments(points)
    flat = points.double().numpy().reshape(-1, 3, 2)
    np.testing.assert_allclose(mean, flat.mean(0))
    np.testing.assert_allclose(spread, flat.std(0))


def test_absent_joints_do_not_count():
    points, confidence = torch.rand(6, 3, 2), torch.ones(6, 3)
    points[2, 1], confidence[2, 1] = float("nan"), 0
    confidence[:, 2] = 0
    mean, spread = moments(points, confidence)
    seen = points[[0, 1, 3, 4, 5], 1].double()
    torch.testing.assert_close(mean[1], seen.mean(0))
    torch.testing.assert_close(spread[1], seen.std(0, correction=0))
    assert mean[2].tolist() == [0.5, 0.5] and spread[2].tolist() == [1, 1]


def test_a_joint_that_never_moves_has_the_least_spread():
    _, spread = moments(torch.full((5, 1, 2), 0.3))
    assert (spread == LEAST_SPREAD).all()


def test_they_travel_in_the_state_dict():
    pose, other = MeanPose(3), MeanPose(3)
    pose.fit(torch.rand(7, 2, 3, 2))
    other.load_state_dict(pose.state_dict())
    assert torch.equal(other.mean, pose.mean) and torch.equal(other.spread, pose.spread) and other.count == 14


@pytest.mark.parametrize(
    ("mean", "spread", "message"),
    [
        (torch.zeros(2, 2), torch.ones(3, 2), r"pose mean: expected \(3, 2\) finite numbers, got \(2, 2\)"),
        (torch.zeros(3, 2), torch.full((3, 2), float("nan")), "pose spread: expected"),
        (torch.zeros(3, 2), torch.zeros(3, 2), "pose spread: 0: expected numbers above 0"),
    ],
)
def test_mistakes_are_named(mean, spread, message):
    with pytest.raises(KpstraError, match=message):
        MeanPose(3).set(mean, spread)


WANTING = [
    {"standardised": True},
    {"keypoints": "constant"},
    {"formulation": "second_order", "standardised": True, "keypoints": "constant"},
]


def told(rpe, times=2):
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        for _ in range(times):
            rpe.factors(torch.rand(1, 3, 2))
    return [str(w.message) for w in warned]


@pytest.mark.parametrize("settings", WANTING, ids=str)
def test_tables_that_need_a_mean_pose_say_once_that_they_have_none(settings):
    (message,) = told(KeypointRPE(3, (2, 2), 1, 1, **settings))
    assert "no mean pose" in message and "call handle.fit_pose(points)" in message
    fitted = KeypointRPE(3, (2, 2), 1, 1, **settings)
    fitted.pose.fit(torch.rand(7, 3, 2))
    assert told(fitted) == told(KeypointRPE(3, (2, 2), 1, 1)) == []


def test_what_is_unwarned_leaves_no_trace():
    rpe = KeypointRPE(3, (2, 2), 1, 1, standardised=True)
    with unwarned(rpe):
        assert told(rpe) == []
    assert len(told(rpe)) == 1
