"""Frames that are warped several at a time, against frames that are warped one by one."""

import cv2
import numpy as np
import pytest

from opengait_ext.data.joint_transform.frames import warp_frames

ROTATION = cv2.getRotationMatrix2D((32, 22), 7.3, 1)
CORNERS = np.float32([(0, 0), (44, 0), (44, 64), (0, 64)])
PROJECTION = cv2.getPerspectiveTransform(np.float32([(3, 0), (40, 0), (37, 64), (5, 64)]), CORNERS)


@pytest.mark.parametrize("dtype", [np.uint8, np.float64, np.float32])
@pytest.mark.parametrize("count", [1, 2, 3, 4, 6, 130])
def test_equal_to_one_by_one(dtype, count):
    """Byte for byte, for affine and projective maps, and for mirrored frames as well."""
    frames = np.random.default_rng(count).integers(0, 256, (count, 64, 44)).astype(dtype)
    for matrix, warp in ((ROTATION, cv2.warpAffine), (PROJECTION, cv2.warpPerspective)):
        for given in (frames, frames[..., ::-1]):
            expected = np.stack([warp(np.ascontiguousarray(frame), matrix, (44, 64)) for frame in given])
            found = warp_frames(given, matrix)
            assert found.dtype == dtype and np.array_equal(found, expected)
            assert not np.array_equal(found, given)


@pytest.mark.parametrize("dtype", [bool, np.int64, np.float16])
def test_kinds_of_numbers_that_opencv_does_not_take(dtype):
    """They are moved as float32; OpenCV alone ends in an error of its own."""
    frames = np.random.default_rng(0).integers(0, 2, (3, 64, 44)).astype(dtype)
    found = warp_frames(frames, ROTATION)
    assert np.array_equal(found, warp_frames(frames.astype(np.float32), ROTATION)) and found.any()
