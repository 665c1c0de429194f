"""Drawing a mesh: a cube's silhouette and its colours, against squares that are known, and small triangles."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

from plugins.benchmarks.walkers import Outfit
from plugins.benchmarks.walkers.body import Part
from plugins.benchmarks.walkers.mesh.surface import Surface
from plugins.benchmarks.walkers.pieces import SHIFT, fixed_point

SQUARES = ((0, 1, 2, 3), (7, 6, 5, 4), (0, 4, 5, 1), (3, 2, 6, 7), (0, 3, 7, 4), (1, 5, 6, 2))  # +z -z bottom top ...
FACES = np.array([corners for a, b, c, d in SQUARES for corners in ((a, b, c), (a, c, d))])
OUTFIT = replace(Outfit.sample(0), upper=(250, 0, 0), lower=(0, 250, 0))


def cube(half=10.0, centre=(32.0, 32.0), scale=20.0, near="upper", over=()):
    """A cube of ``2 * half`` pixels, whose front is of a colour and the other sides of the other."""
    corners = np.array([(x, y, z) for z in (1, -1) for x, y in ((-1, 1), (1, 1), (1, -1), (-1, -1))], float)
    at = corners * (half, half, half / scale) + (*centre, 0)
    colours = ("lower", "upper")
    worn = np.array([colours.index(near)] * 2 + [1 - colours.index(near)] * 10)
    return Surface(at[None], scale, FACES, worn, colours, list(over))


def painted(surface):
    picture = np.zeros((64, 64, 3), np.uint8)
    surface.paint(picture, 0, OUTFIT)
    return picture


def test_the_silhouette_of_a_cube_is_a_square():
    image = np.zeros((64, 64), np.uint8)
    cube().draw(image, 0)
    expected = np.zeros_like(image)
    expected[22:43, 22:43] = 255
    np.testing.assert_array_equal(image, expected)


def test_only_the_side_towards_the_camera_is_seen():
    for near, channel in (("upper", 0), ("lower", 1)):
        picture = painted(cube(near=near))[23:42, 23:42]
        assert (picture[..., channel] > 200).all() and (np.delete(picture, channel, 2) == 0).all()


def test_what_is_worn_over_it_hides_what_is_behind():
    square = np.array([[[27, 27], [37, 27], [37, 37], [27, 37]]], float)
    for depth, channel in ((1.0, 1), (-1.0, 0)):  # before the cube, behind it
        part = Part("lower", square, np.array([depth]))
        assert painted(cube(over=[part]))[32, 32].argmax() == channel
    image = np.zeros((64, 64), np.uint8)
    cube(half=2, over=[part]).draw(image, 0)
    assert image[27:38, 27:38].all()


def test_it_moves_with_its_coat():
    square = np.array([[[27, 27], [37, 27], [37, 37], [27, 37]]], float)
    surface = cube(half=3, over=[Part("lower", square, np.zeros(1))])
    moved = surface.moved(np.array([[[1.0, 0, 9], [0, 1, -4]]]))
    before, after = np.zeros((2, 64, 64), np.uint8)
    surface.draw(before, 0)
    moved.draw(after, 0)
    np.testing.assert_array_equal(np.roll(before, (-4, 9), (0, 1)), after)


@pytest.mark.parametrize("size", [0.4, 0.9, 3.0])
def test_small_triangles_cover_what_opencv_fills(size):
    rng = np.random.default_rng(1)
    corners = rng.uniform(-5, 69, (60, 1, 2)) + rng.uniform(-size, size, (60, 3, 2))
    a, b = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    back = a[:, 0] * b[:, 1] > a[:, 1] * b[:, 0]
    corners[back] = corners[back, ::-1]
    at = np.concatenate([corners, np.zeros((60, 3, 1))], 2).reshape(1, -1, 3)
    surface = Surface(at, 20.0, np.arange(180).reshape(-1, 3), np.zeros(60, int), ("upper",), [])
    image, expected = np.zeros((2, 64, 64), np.uint8)
    surface.draw(image, 0)
    for triangle in fixed_point(corners):
        cv2.fillConvexPoly(expected, triangle, 255, cv2.LINE_8, SHIFT)
    assert (image != expected).sum() <= 0.05 * (expected > 0).sum()  # halves are rounded either way


def test_of_small_triangles_the_nearest_is_painted():
    """Against the painter's way, the farthest first, which needs no ranks."""
    rng = np.random.default_rng(2)
    corners = rng.uniform(2, 30, (400, 1, 2)) + rng.uniform(-1.5, 1.5, (400, 3, 2))
    at = np.concatenate([corners, rng.uniform(-1, 1, (400, 1, 1)).repeat(3, 1)], 2).reshape(1, -1, 3)
    surface = Surface(at, 20.0, np.arange(1200).reshape(-1, 3), rng.integers(2, size=400), ("upper", "lower"), [])
    picture, expected = np.zeros((2, 32, 32, 3), np.uint8)
    surface.paint(picture, 0, OUTFIT)
    front, index = surface._front(0)
    for n in np.argsort(front[:, 0, 2]):
        colour = (250, 0, 0) if surface.worn[index[n]] == 0 else (0, 250, 0)
        cv2.fillConvexPoly(expected, fixed_point(front[n, :, :2]), colour, cv2.LINE_8, SHIFT)
    assert 100 < len(front) < 300 and (picture.argmax(2) == expected.argmax(2)).mean() > 0.97
