"""Rendered faces: landmarks lie where the picture shows them, and pictures follow from seeds alone."""

from dataclasses import replace

import numpy as np
import pytest

from plugins.benchmarks.faces import Face, View, render
from plugins.benchmarks.faces.place import default_place

SIZE = 96
LIT = View(light=(0.0, 0.0, 1.0), ambient=1.0)  # no shadows, no noise


def around(image, point, offset=(0, 0), reach=1):
    x, y = np.rint(np.add(point, offset)).astype(int)
    return image[y - reach : y + reach + 1, x - reach : x + reach + 1].reshape(-1, 3).mean(0)


@pytest.fixture(scope="module")
def frontal():
    return render(Face(), LIT, size=SIZE)


def test_landmarks_lie_on_what_they_name(frontal):
    image, points = frontal
    skin = around(image, points[2], (0, -30))  # the forehead
    for eye in points[:2]:
        row = image[round(eye[1]), round(eye[0]) - 4 : round(eye[0]) + 5].mean(1)
        assert row[4] < 40 and row[:4].max() > 150 and row[5:].max() > 150  # the pupil between the whites
    assert np.abs(around(image, points[2]) - skin).max() < 12  # the nose is of skin
    for corner, inwards in zip(points[3:], (1, -1), strict=True):
        red, beside = (around(image, corner, (dx * inwards, 0), 0) for dx in (3, -3))
        assert red[0] - red[1] > 1.3 * (beside[0] - beside[1])


def test_a_frontal_face_is_symmetric_and_in_order(frontal):
    image, points = frontal
    np.testing.assert_allclose(points[[1, 0, 2, 4, 3], 0], SIZE - 1 - points[:, 0], atol=1e-6)
    assert points[0, 0] < points[1, 0] and points[0, 1] < points[2, 1] < points[3, 1]
    head = image[24:72].astype(float)
    assert np.abs(head[:, 18:78] - head[:, 77:17:-1]).mean() < 4


def test_the_nose_tip_is_what_stands_out_most():
    from plugins.benchmarks.faces.surface import landmarks, surface

    u, v = np.meshgrid(np.linspace(-0.3, 0.3, 61), np.linspace(-0.5, 0.1, 121))
    points = surface(Face(), View(), u, v)
    foremost = points.reshape(-1, 3)[points[..., 2].argmax()]
    assert np.abs(foremost - landmarks(Face(), View())[2]).max() < 0.06


@pytest.mark.parametrize(
    ("change", "moves"),
    [({"yaw": 20.0}, (1, 0)), ({"pitch": 15.0}, (0, -1)), ({"yaw": -20.0, "pitch": -15.0}, (-1, 1))],
)
def test_the_nose_goes_where_the_head_turns(frontal, change, moves):
    moved = render(Face(), replace(LIT, **change), size=SIZE)[1] - frontal[1]
    relative = moved[2] - moved[:2].mean(0)
    assert (np.sign(relative) * np.abs(moves) == moves).all() and np.abs(relative[np.array(moves) != 0]).min() > 1.5


def test_a_roll_turns_the_picture(frontal):
    """Clockwise by its angle, about the middle of the head."""
    points = render(Face(), replace(LIT, roll=30.0), size=SIZE)[1]
    angle, middle = np.radians(30), (SIZE - 1) / 2
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    np.testing.assert_allclose(points, (frontal[1] - middle) @ turn.T + middle, atol=1e-6)


def test_expressions_move_the_corners_of_the_mouth(frontal):
    smiling = render(Face(), replace(LIT, smile=1.0), size=SIZE)[1]
    assert (smiling[3:, 1] < frontal[1][3:, 1] - 0.5).all() and np.ptp(smiling[3:, 0]) > np.ptp(frontal[1][3:, 0]) + 2
    np.testing.assert_array_equal(smiling[:3], frontal[1][:3])


def test_no_holes_where_the_head_is_near():
    """On a background of another colour no sample of the face is left."""
    image, _ = render(Face(skin=0.0), replace(LIT, yaw=35.0, seed=1), size=96, place=default_place(96) * [[1.3], [1.3]])
    middle = image[40:60, 40:70].astype(float)
    assert np.abs(middle - np.median(middle, (0, 1))).mean(2).max() < 130


def test_pictures_follow_from_the_seeds():
    one, again = (render(Face.sample(3), View.sample(4), size=24) for _ in range(2))
    np.testing.assert_array_equal(one[0], again[0])
    other = render(Face.sample(5), View.sample(4), size=24)
    assert np.abs(one[0].astype(int) - other[0]).mean() > 2 and not np.allclose(one[1], other[1])
    assert Face.sample(3, spread=0.0) == Face() and Face.sample(3) != Face.sample(3, spread=0.5)
    assert View.sample(4, strength=0.0).yaw == 0 and View.sample(4, strength=0.0).ambient == 1
