"""The map between the detector's and the aligned crop: OpenCV's at both ends, landmarks on their pixels between."""

import cv2
import numpy as np
import pytest
import torch
from PIL import Image

from plugins.errors import KpstraError
from plugins.landmarks.align import TEMPLATE, similarity
from reid_ext.benchmarks.alignment.warp import aligned_crop, sampling_map

LANDMARKS = np.array([[30.0, 44, 1], [58, 36, 1], [46, 52, 1], [38, 70, 1], [60, 64, 1]])


@pytest.fixture
def image():
    noise = np.random.default_rng(0).integers(0, 256, (12, 10, 3), np.uint8)
    return cv2.resize(noise, (80, 96), interpolation=cv2.INTER_CUBIC)


def test_the_ends_are_the_resized_and_the_aligned_crop(image):
    resized, points = aligned_crop(image, LANDMARKS, 112, 0.0)
    by_the_host = Image.fromarray(image).resize((112, 112), Image.Resampling.BILINEAR)
    np.testing.assert_array_equal(resized, np.asarray(by_the_host))
    np.testing.assert_allclose(points[:, :2], (LANDMARKS[:, :2] + 0.5) * (112 / 80, 112 / 96) - 0.5)
    matrix = similarity(torch.tensor(LANDMARKS[None, :, :2]), TEMPLATE)[0].numpy()
    aligned, points = aligned_crop(image, LANDMARKS, 112, 1.0)
    np.testing.assert_array_equal(aligned, cv2.warpAffine(image, matrix, (112, 112)))
    np.testing.assert_allclose(points[:, :2], LANDMARKS[:, :2] @ matrix[:, :2].T + matrix[:, 2])


def test_a_large_crop_is_shrunk_as_the_host_shrinks_it(image):
    large = cv2.resize(image, (400, 480), interpolation=cv2.INTER_CUBIC)
    large = (large.astype(int) + np.random.default_rng(1).integers(-99, 99, large.shape)).clip(0, 255).astype(np.uint8)
    by_the_host = np.asarray(Image.fromarray(large).resize((56, 56), Image.Resampling.BILINEAR))
    crop, _ = aligned_crop(large, LANDMARKS * (5, 5, 1), 56, 0.0)
    np.testing.assert_array_equal(crop, by_the_host)
    spread = [aligned_crop(large, LANDMARKS * (5, 5, 1), 56, t)[0][20:36, 20:36].std() for t in (0, 0.5, 1)]
    assert spread[0] < spread[1] < spread[2]  # less and less filtered


@pytest.mark.parametrize("progress", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("side", [56, 112])
def test_landmarks_stay_on_their_pixels(progress, side):
    for row in range(5):
        image = np.zeros((96, 80, 3), np.uint8)
        image[int(LANDMARKS[row, 1]), int(LANDMARKS[row, 0])] = 255
        image = cv2.GaussianBlur(image, (0, 0), 3)
        crop, points = aligned_crop(image * (255 // image.max()), LANDMARKS, side, progress)
        weights = crop[..., 0].astype(float)
        centre = [(weights * axis).sum() / weights.sum() for axis in np.mgrid[:side, :side][::-1]]
        np.testing.assert_allclose(centre, points[row, :2], atol=0.15)


def test_the_map_is_linear_in_the_way():
    maps = [sampling_map(LANDMARKS[:, :2], (96, 80), 64, t) for t in (0, 0.25, 1)]
    np.testing.assert_allclose(maps[1], 0.75 * maps[0] + 0.25 * maps[2])


def test_a_face_without_landmarks_is_only_resized(image):
    absent = LANDMARKS.copy()
    absent[3] = 0
    crop, points = aligned_crop(image, absent, 56, 1.0)
    np.testing.assert_array_equal(crop, aligned_crop(image, LANDMARKS, 56, 0.0)[0])
    assert (points[3] == 0).all() and points[0, 2] == 1


def test_maps_that_do_not_exist():
    with pytest.raises(KpstraError, match="no similarity transform fits"):
        sampling_map(np.ones((5, 2)), (96, 80), 112, 0.5)
    on_its_head = 111 - TEMPLATE.numpy()
    with pytest.raises(KpstraError, match=r"without inverse at 0\.5 of the way"):
        sampling_map(on_its_head, (112, 112), 112, 0.5)
