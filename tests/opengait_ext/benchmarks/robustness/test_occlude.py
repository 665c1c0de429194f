"""An occluder: how much of the person's box it covers, where it is, and the joints behind it."""

import cv2
import numpy as np
import pytest

from opengait_ext.benchmarks.robustness.occlude import occlude
from plugins.benchmarks.walkers import Identity, Sequence, render


@pytest.fixture(scope="module")
def walker():
    """10 silhouettes of a person, and joints."""
    return render(Identity.sample(3), Sequence.sample(1, 80.0), 10, (64, 64))


@pytest.mark.parametrize("share", [0.1, 0.25, 0.6])
def test_a_share_of_the_box_is_blank_and_its_joints_are_missing(walker, share):
    full = np.full((8, 64, 64), 255, np.uint8)  # the person's box is the frame: what is covered shows whole
    covered, _ = occlude(full, walker[1][:8], share, 0)
    assert (covered == 0).mean() == pytest.approx(share, abs=0.02)
    images, joints = occlude(*walker, share, 3)
    changed = images != walker[0]
    assert changed.any((1, 2)).all() and not images[changed].any()
    for frame in range(10):
        left, top, width, height = cv2.boundingRect(changed[frame].astype(np.uint8))
        x, y = walker[1][frame, :, :2].T
        inside = (x > left) & (x < left + width - 1) & (y > top) & (y < top + height - 1)
        assert (joints[frame, inside, 2] == 0).all()
        assert left + width <= sum(cv2.boundingRect(walker[0][frame])[::2])
    kept = joints[..., 2] > 0
    np.testing.assert_array_equal(joints[kept], walker[1][kept])
    assert not kept.all() and kept.any() and np.isfinite(joints).all()


def test_nothing_and_all_of_it(walker):
    images, joints = occlude(*walker, 0.0, 0)
    np.testing.assert_array_equal(images, walker[0])
    np.testing.assert_array_equal(joints, walker[1])
    images, joints = occlude(*walker, 2.0, 0)
    assert not images.any() and np.isfinite(joints).all()


def test_the_place_follows_from_the_seed_and_hardly_changes_within_a_sequence():
    full = np.full((40, 64, 64), 255, np.uint8)
    joints = np.full((40, 17, 3), 32.0, np.float32)

    def corners(seed):
        return np.array([cv2.boundingRect(255 - image)[:2] for image in occlude(full, joints, 0.25, seed)[0]])

    places = np.stack([corners(seed) for seed in range(60)])  # 60, 40, 2
    np.testing.assert_array_equal(places[7], corners(7))
    assert places.mean(1).std(0).min() > 2 * places.std(1).mean()
    assert places.min() == 0 and places.max() == 32  # all of the box is covered by one or another
