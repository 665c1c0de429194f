"""Keypoints that do not fit their crops are told with the cause."""

import json
import re
from pathlib import Path

import numpy as np
import pytest

from plugins.keypoints.crops import joints_on_crops, warnings_of

PETS = Path(__file__).parents[2] / "data" / "pets-mini" / "market_keypoints.json"
SIZE = np.array([128, 64])


@pytest.fixture(scope="module")
def people():
    shares = np.array(list(json.loads(PETS.read_text()).values()))
    return shares[shares[..., 2].any(1)] * [64, 128, 1]


def told(keypoints):
    return list(warnings_of(keypoints, np.tile(SIZE, (len(keypoints), 1))))


def test_nothing_is_said_of_right_keypoints(people):
    assert told(people) == []
    upper = people * [1, 2, 1]  # the lower half is cut off
    upper[upper[..., 1] > 127] = 0
    assert told(upper) == []


def test_joints_on_crops_are_counted_one_by_one(people):
    moved = people + np.array([20, 0, 0])
    on = sum(s >= 0.5 and -0.5 <= x <= 63.5 and -0.5 <= y <= 127.5 for joints in moved for x, y, s in joints)
    assert joints_on_crops(moved, np.tile(SIZE, (len(people), 1))) == (on, (people[..., 2] >= 0.5).sum())


@pytest.mark.parametrize(
    ("spoil", "cause"),
    [
        (lambda k: k[..., [1, 0, 2]], "x and y seem to be swapped"),
        (lambda k: k * [2, 2, 1], r"pixels of images about [12]\.\d times as large"),
        (lambda k: k * [0.25, 0.25, 1], "seem to be in pixels of smaller images"),
        (lambda k: k + np.array([300, 200, 0]), "of other images, or in pixels of the whole frame"),
        (lambda k: k * [1, -1, 1] + [0, 127, 0], "y seems to grow upwards"),
        (lambda k: k[:, ::-1], "the order of the joints is reversed"),
        (lambda k: k[:, np.roll(np.arange(17), 6)], "check that they are COCO's 17 joints"),
        (lambda k: k * [1, 1, 100], "100% of the scores are above 1.5"),
        (lambda k: k * [1, 1, 0.1], "no joint has a score of 0.5 or more"),
        (lambda k: k[[7] * len(k)], "have the same keypoints; they seem to be those of one other image"),
    ],
)
def test_mistakes_are_told_with_their_cause(people, spoil, cause):
    assert any(re.search(cause, text) for text in told(spoil(people))), told(spoil(people))
