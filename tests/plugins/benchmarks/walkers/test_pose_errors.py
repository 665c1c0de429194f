"""Joints as a pose network finds them: the lattice of its heat map, missed joints, swapped sides, rates."""

from dataclasses import replace

import numpy as np
import pytest

from plugins.benchmarks.walkers import Identity, Sequence, pose_errors, render
from plugins.errors import KpstraError
from plugins.keypoints.joints import COCO17

HEIGHT, FRAMES = 90.0, 3000
HALF = 1.25 * HEIGHT / 64 / 2
LEGS = [COCO17.index(f"{side}_{joint}") for joint in ("hip", "knee", "ankle") for side in ("left", "right")]
ARMS = [COCO17.index(f"{side}_{joint}") for joint in ("shoulder", "elbow", "wrist") for side in ("left", "right")]


@pytest.fixture(scope="module")
def joints():
    rng = np.random.default_rng(0)
    at = rng.uniform(0, HEIGHT, (FRAMES, 17, 3))
    at[..., 2] = np.where(rng.random((FRAMES, 17)) < 0.5, 0.95, 0.5)  # in full view, and hidden
    return at


def missed(found, joints):
    """Joints that went astray; those of the joints given that are sure have no score so low."""
    return (found[..., 2] < 0.31) & (joints[..., 2] > 0.31)


def test_none_changes_nothing(joints):
    np.testing.assert_array_equal(pose_errors(joints, HEIGHT, np.ones(FRAMES), 0.0, 1), joints)


def test_positions_lie_on_half_cells_of_a_box_that_moves(joints):
    found = pose_errors(joints, HEIGHT, np.zeros(FRAMES), 1.0, 1)
    cells = (found[..., :2] - found[:, :1, :2]) / HALF
    np.testing.assert_allclose(cells, np.rint(cells), atol=1e-6)
    places = found[:, 0, :2] / HALF % 1
    assert places.std() == pytest.approx(1 / 12**0.5, rel=0.05)  # anywhere on a cell
    kept = ~missed(found, joints)
    off = np.abs(found - joints)[kept]
    assert off[:, :2].max() <= HALF / 2 + 1e-9 and off[:, 2].max() == 0
    assert off[:, :2].mean() == pytest.approx(HALF / 4, rel=0.03)  # of what is spread evenly over half a cell
    assert HALF * 64 / HEIGHT == 0.625  # pixels of an aligned silhouette


def test_joints_are_missed_at_the_stated_rates_and_say_so(joints):
    found = pose_errors(joints, HEIGHT, np.zeros(FRAMES), 1.0, 2)
    gone = missed(found, joints)
    shown = joints[..., 2] > 0.9
    assert gone[shown].mean() == pytest.approx(0.01 + 0.05 * 0.1, abs=0.002)  # their scores are 0.95
    assert gone[~shown].mean() == pytest.approx(0.06, abs=0.004)
    assert (found[gone][:, 2] >= 0.05).all() and (found[gone][:, 2] <= 0.3).all()
    assert (found - joints)[gone][:, :2].std() == pytest.approx(0.08 * HEIGHT, rel=0.1)
    twice = pose_errors(joints, HEIGHT, np.zeros(FRAMES), 2.0, 2)
    assert missed(twice, joints).mean() == pytest.approx(2 * gone.mean(), rel=0.15)


@pytest.mark.parametrize(("profile", "share"), [(0.0, 0.0), (0.7, 0.0), (-0.85, 0.06), (1.0, 0.12)])
def test_limbs_are_swapped_whole_for_some_frames_seen_from_the_side(joints, profile, share):
    found = pose_errors(joints, HEIGHT, np.full(FRAMES, profile), 1.0, 3)
    other = np.arange(17)
    other[1::2], other[2::2] = np.arange(17)[2::2], np.arange(17)[1::2]
    near = [np.abs(found - given)[..., :2].max(2) <= HALF / 2 + 1e-9 for given in (joints, joints[:, other])]
    for limb in (LEGS, ARMS):
        swapped = near[1][:, limb].mean(1) > 0.6  # a joint of it may be missed
        assert swapped.mean() == pytest.approx(share, abs=0.03)
        assert (near[0][:, limb].mean(1) > 0.6)[~swapped].mean() > 0.99
        if share:
            spells = np.diff(swapped.astype(int), prepend=0, append=0)
            lengths = np.flatnonzero(spells < 0) - np.flatnonzero(spells > 0)
            assert 3 < lengths.mean() < 6
            doubted = found[swapped][:, limb, 2].max()
            assert doubted == pytest.approx(0.8 * 0.95)
    assert near[0][:, :5].mean() > 0.95  # the face keeps its sides


def test_rendered_joints_have_them_and_silhouettes_do_not():
    walker, plain = Identity.sample(1), Sequence(seed=2, azimuth=85, noise=0.5, joint_noise=0.005)
    (base, exact), (same, found) = (render(walker, s, 60) for s in (plain, replace(plain, joint_errors=1.0)))
    np.testing.assert_array_equal(base, same)
    np.testing.assert_array_equal(found, render(walker, replace(plain, joint_errors=1.0), 60)[1])
    off = np.abs(found - exact)[..., :2].max(2)
    half = 1.25 * walker.height * 0.75 * 128 / 1.75 / 64 / 2
    assert 0.7 < (off <= half / 2 + 1e-3).mean() < 0.99 and off.max() > 3


def test_an_absurd_amount_is_refused():
    with pytest.raises(KpstraError, match="joint errors 11"):
        Sequence.sample(0, 0, joint_errors=11)
