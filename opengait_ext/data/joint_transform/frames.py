"""One map of the plane applied to all frames of a sequence, several frames at a time as the channels of one image."""

from __future__ import annotations

import cv2
import numpy as np

# As many channels as give, byte for byte, what frames give one by one: OpenCV interpolates whole numbers alike in
# images of 1, 3 and 4 channels, and float64 alike in any number.
CHANNELS = {np.dtype(np.uint8): 4, np.dtype(np.float64): 128}
WARPED = ("uint8", "uint16", "int16", "float32", "float64")  # the kinds of numbers that OpenCV interpolates


def warp_frames(frames: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """Return frames (s, H, W) under an affine (2, 3) or projective (3, 3) ``matrix``, as OpenCV gives each of them.

    Numbers of a kind that OpenCV does not take, such as bool or int64, become float32.
    """
    if frames.dtype.name not in WARPED:
        frames = frames.astype(np.float32)
    size = frames.shape[2], frames.shape[1]
    warp = cv2.warpAffine if len(matrix) == 2 else cv2.warpPerspective
    most, moved = CHANNELS.get(frames.dtype, 1), []
    for first in range(0, len(frames), most):
        group = list(frames[first : first + most])
        if len(group) == 1:
            moved.append(warp(group[0], matrix, size))
            continue
        filled = group if len(group) > 2 else [*group, group[0]]
        moved += cv2.split(warp(cv2.merge(filled), matrix, size))[: len(group)]
    return np.stack(moved)
