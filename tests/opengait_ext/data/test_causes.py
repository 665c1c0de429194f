"""The likely cause of joints that lie wrong is the mistake that was made."""

import numpy as np
import pytest
from walking_body import MISTAKES, frames

from opengait_ext.data.causes import Cause, likely_cause


@pytest.fixture(scope="module")
def people():
    return frames(40)


@pytest.mark.parametrize("mistake", MISTAKES)
def test_the_mistake_is_named(people, mistake):
    change, cause = MISTAKES[mistake]
    said = likely_cause([(image, change(joints, image)) for image, joints in people])
    assert said.what.startswith("; ") and cause in said.what and said.found


@pytest.mark.parametrize("mistake", ["swapped", "shares", "half the size"])
def test_the_mistake_is_named_where_all_scores_are_low(people, mistake):
    change, cause = MISTAKES[mistake]
    said = likely_cause([(image, change(joints, image) * [1, 1, 0.4]) for image, joints in people])
    assert cause in said.what and said.found
    assert likely_cause([(image, joints * [1, 1, 0.4]) for image, joints in people]) == Cause()


@pytest.mark.parametrize("score", [0, -1, np.nan])
def test_poses_without_scores(people, score):
    said = likely_cause([(image, np.c_[joints[:, :2], np.full(17, score)]) for image, joints in people])
    assert "write 1 as the score of every joint" in said.what and said.found


def test_columns_cut_off_the_silhouettes_alone(people):
    """As OpenGait's 64 x 44 silhouettes with joints of 64 x 64 ones."""
    square = []
    for image, joints in people:
        height, width = image.shape
        wide = np.zeros((height, 2 * height), np.uint8)
        wide[:, height - width // 2 : height - width // 2 + width] = image
        square.append((wide[:, height // 2 : -(height // 2)], np.add(joints, [height // 2 - width // 2, 0, 0])))
    cut = [(image[:, 10:-10], joints) for image, joints in square if image.shape[1] == image.shape[0]]
    assert len(cut) > 10 and "columns seem to be cut off the silhouettes" in likely_cause(cut).what
    assert likely_cause([(image, joints - [10, 0, 0]) for image, joints in cut]) == Cause()


def test_nothing_is_said_of_joints_that_lie_right_and_little_of_noise(people):
    assert likely_cause(people) == likely_cause([]) == Cause()
    rng = np.random.default_rng(0)
    noise = [(image, rng.uniform(0, 60, (17, 3))) for image, _ in people]
    assert "check that they are COCO's 17 joints" in likely_cause(noise).what


def test_joints_that_are_only_inexact_are_no_mistake_of_a_kind(people):
    rng = np.random.default_rng(0)
    inexact = [(image, np.add(joints, [*rng.normal(0, len(image) / 16, 2), 0])) for image, joints in people]
    assert not likely_cause(inexact).found
