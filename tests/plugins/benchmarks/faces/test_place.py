"""Where faces lie: aligned ones nearest to the template, others by a box with errors."""

import numpy as np
import pytest

from plugins.benchmarks.faces import Face, View, aligned_place, detected_place, render, seen
from plugins.benchmarks.faces.place import default_place
from plugins.landmarks import TEMPLATE


@pytest.mark.parametrize("seed", range(4))
def test_aligned_landmarks_are_nearest_to_the_template(seed):
    """Least squares over all similarities, solved as a linear system in the test."""
    face, view, size = Face.sample(seed), View.sample(seed), 56
    template = TEMPLATE.numpy() * size / 112
    place = aligned_place(face, view, size)
    points = render(face, view, size, place)[1]
    x, y = seen(face, view).T
    ones, zeros = np.ones(5), np.zeros(5)
    system = np.concatenate([np.stack([x, -y, ones, zeros], 1), np.stack([y, x, zeros, ones], 1)])
    residual = np.linalg.lstsq(system, template.T.ravel(), rcond=None)[1]
    np.testing.assert_allclose(np.square(points - template).sum(), residual[0], rtol=1e-9)
    assert np.abs(points - template).max() < 0.25 * size


def test_boxes_without_errors_are_the_default():
    np.testing.assert_allclose(detected_place(View.sample(1), 64, 0.0), default_place(64), atol=1e-12)


def test_boxes_differ_in_place_size_and_turn():
    places = np.stack([detected_place(View.sample(seed), 64, 1.0) for seed in range(300)])
    scale = np.hypot(places[:, 0, 0], places[:, 1, 0]) / default_place(64)[0, 0]
    angle = np.degrees(np.arctan2(places[:, 1, 0], places[:, 0, 0]))
    assert 0.09 < np.log(scale).std() < 0.11 and 7 < angle.std() < 9
    assert (np.abs(places[:, :, 2].std(0) / 64 - 0.04) < 0.006).all()
