"""Silhouettes with joints, drawn."""

import numpy as np
import pytest

from plugins.pictures.overlay import draw_frame

GREY = np.array([110, 110, 110])


def body():
    silhouette = np.zeros((64, 44), np.uint8)
    silhouette[2:62, 12:32] = 255
    keypoints = np.zeros((17, 3), np.float32)
    keypoints[:, 0], keypoints[:, 1] = np.where(np.arange(17) % 2, 27, 17), np.linspace(4, 60, 17)
    keypoints[:, 2] = 1
    return silhouette, keypoints


@pytest.mark.parametrize("scale", [1, 4, 7])
def test_joints_are_where_they_should_be(scale):
    silhouette, keypoints = body()
    picture = draw_frame(silhouette, keypoints, scale)
    assert picture.shape == (64 * scale, 44 * scale, 3) and picture.dtype == np.uint8
    for x, y, _ in keypoints:  # the middle of the pixel (x, y)
        colour = picture[int((y + 0.5) * scale), int((x + 0.5) * scale)]
        assert len(set(colour.tolist())) > 1
    assert (picture[-1, -1] == 0).all()


def test_left_and_right_differ_and_absent_joints_are_hollow():
    silhouette, keypoints = body()
    picture = draw_frame(silhouette, keypoints, 8)

    def middle(picture, joint):
        x, y = ((keypoints[joint, :2] + 0.5) * 8 - 0.5).round().astype(int)
        return picture[y, x]

    assert (middle(picture, 15) != middle(picture, 16)).any()
    keypoints[15, 2] = 0
    picture = draw_frame(silhouette, keypoints, 8)
    np.testing.assert_array_equal(middle(picture, 15), GREY)
    x, y = ((keypoints[15, :2] + 0.5) * 8).astype(int)
    ring = picture[y - 8 : y + 9, x - 8 : x + 9]
    assert (ring != GREY).any()


def test_joints_outside_or_not_finite_do_no_harm():
    silhouette, keypoints = body()
    keypoints[3, 0], keypoints[4, 1], keypoints[5, :2], keypoints[6, :2] = np.nan, np.inf, 1e20, -1e20
    assert draw_frame(silhouette, keypoints, 4).shape == (256, 176, 3)
