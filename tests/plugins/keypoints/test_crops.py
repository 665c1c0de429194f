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
        (lambda k: k / [64, 128, 1], "seem to be shares of the image; pixels are expected"),
        (lambda k: k + np.array([300, 200, 0]), "of other images, or in pixels of the whole frame"),
        (lambda k: k * [1, -1, 1] + [0, 127, 0], "y seems to grow upwards"),
        (lambda k: k[:, ::-1], "the order of the joints is reversed"),
        (lambda k: k[:, np.roll(np.arange(17), 6)], "check that they are COCO's 17 joints"),
        (lambda k: k * [1, 1, 100], "100% of the scores are above 1.5, up to .*: they seem to be in percent"),
        (lambda k: k * [1, 1, 6], "are above 1.5, up to .*: AlphaPose's go up to 6; scores above 1 count as 1"),
        (lambda k: k * [1, 1, 255], "are above 1.5, up to 2.*: they are no confidences"),
        (lambda k: k * [1, 1, 0.1], "no joint has a score of 0.5 or more"),
        (lambda k: k[[7] * len(k)], "have the same keypoints; they seem to be those of one other image"),
    ],
)
def test_mistakes_are_told_with_their_cause(people, spoil, cause):
    assert any(re.search(cause, text) for text in told(spoil(people))), told(spoil(people))


@pytest.fixture(scope="module")
def faces():
    """ArcFace's five points in crops of 64x128, scattered by some pixels."""
    template = np.array([[38.3, 51.7], [73.5, 51.5], [56.0, 71.7], [41.5, 92.4], [70.7, 92.2]]) / 112 * [64, 128]
    scattered = template + np.random.default_rng(0).normal(0, 2, (40, 5, 2))
    return np.concatenate((scattered, np.ones((40, 5, 1))), 2)


def test_nothing_is_said_of_right_faces(faces):
    assert told(faces) == []
    assert told(faces[:10, [1, 0, 2, 4, 3]]) == []  # too few to judge: they may be turned away


@pytest.mark.parametrize(
    ("spoil", "cause"),
    [
        (lambda k: k[:, [1, 0, 2, 4, 3]], "left and right seem to be the person's"),
        (lambda k: k[:, [3, 4, 2, 0, 1]], "y seems to grow upwards, or the mouth comes first"),
        (lambda k: k[:, [2, 0, 1, 3, 4]], "check that they are left eye, right eye, nose"),
        (lambda k: k * [2, 2, 1], r"pixels of images about \d\.\d times as large"),
        (lambda k: k * [0.25, 0.25, 1], "faces end at .* in pixels of smaller images"),
        (lambda k: k / [64, 128, 1], "faces end at .* shares of the image; pixels are expected"),
    ],
)
def test_mistakes_in_faces_are_told_with_their_cause(faces, spoil, cause):
    assert any(re.search(cause, text) for text in told(spoil(faces))), told(spoil(faces))
