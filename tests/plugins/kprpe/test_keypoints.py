"""Pixels become shares of the input; values that cannot be right are refused."""

import numpy as np
import pytest
import torch

from plugins.errors import KpstraError
from plugins.kprpe import normalise_keypoints
from plugins.kprpe.keypoints import check_keypoints


def test_pixel_centres_are_whole_numbers():
    corners = torch.tensor([[0.0, 0.0, 0.9], [43.0, 63.0, 0.9]])
    expected = torch.tensor([[0.5 / 44, 0.5 / 64], [43.5 / 44, 63.5 / 64]])
    torch.testing.assert_close(normalise_keypoints(corners, (64, 44)), expected)


def test_pixels_of_any_kind_are_taken():
    pixels = [[0, 0], [43, 63]]
    expected = normalise_keypoints(torch.tensor(pixels).float(), (64, 44))
    for given in (torch.tensor(pixels), np.array(pixels), np.array(pixels, np.float32)):
        assert torch.equal(normalise_keypoints(given, torch.Size((64, 44))), expected)


@pytest.mark.parametrize("size", [(3, 64, 44), 224, (0, 44)])
def test_a_size_is_height_and_width(size):
    with pytest.raises(KpstraError, match=r"normalise_keypoints: size .*: expected \(height, width\) in pixels"):
        normalise_keypoints(torch.rand(5, 2), size)


def test_pixels_are_refused_and_the_message_says_how_to_convert():
    points = torch.rand(3, 5, 2)
    points[1] = 200 * points[1] + 10
    with pytest.raises(KpstraError, match=r"image 1 reach \d+.*\[0, 1\] of the network input.*normalise_keypoints\("):
        check_keypoints(points, None)
    with pytest.raises(KpstraError, match="image 1 reach"):
        check_keypoints(points, torch.ones(3, 5))
    absent = torch.ones(3, 5)
    absent[1] = 0
    check_keypoints(points, absent)
    check_keypoints(normalise_keypoints(points * 0 + 220, (224, 224)), None)


def test_joints_that_augmentation_moved_out_are_taken():
    check_keypoints(torch.tensor([[[-1.5, 0.5], [0.5, 2.5]]]), None)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_nan_and_infinite_values(value):
    points, confidence = torch.rand(2, 5, 2), torch.ones(2, 5)
    points[1, 3, 0] = value
    with pytest.raises(KpstraError, match="keypoints of image 1 are NaN or infinite; give absent joints the conf"):
        check_keypoints(points, confidence)
    confidence[1, 3] = 0
    check_keypoints(points, confidence)
    confidence[0, 0] = value
    with pytest.raises(KpstraError, match="confidence of image 0 are NaN or infinite"):
        check_keypoints(points, confidence)


@pytest.mark.parametrize("value", [87.0, -0.2])
def test_confidences_that_are_none_are_refused(value):
    confidence = torch.rand(3, 5)
    check_keypoints(torch.rand(3, 5, 2), 2 * confidence)  # COCO's visibility
    confidence[2, 1] = value
    with pytest.raises(KpstraError, match=f"confidence of image 2 is {value:.4g}; expected 0 to 1: divide perc"):
        check_keypoints(torch.rand(3, 5, 2), confidence)
