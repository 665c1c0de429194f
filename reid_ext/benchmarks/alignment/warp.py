"""The affine map of a face on its way from the detector's crop to the aligned one, and of its landmarks."""

from __future__ import annotations

import cv2
import numpy as np
import torch
from PIL import Image

from plugins.errors import KpstraError
from plugins.landmarks.align import ALIGNED, TEMPLATE, similarity

FLAT = 1e-6  # area of a pixel, relative to that of the whole crop resized, below which a map has no inverse


def sampling_map(landmarks: np.ndarray, size: tuple[int, int], side: int, progress: float) -> np.ndarray:
    """Return where each pixel of the network's image is taken from in the crop.

    ``(1 - t) resize + t align``: both are affine maps from the network's image to the crop, the first of the whole
    crop, the second the inverse of the least-squares similarity of the landmarks to the template. Whole numbers are
    pixel centres, as OpenCV has them. How the paper goes from one to the other is not published; this is our reading.

    Args:
        landmarks: (5, 2) x, y in pixels of the crop.
        size: (height, width) of the crop.
        side: of the network's square image.
        progress: t, 0 for the crop as it is, 1 for the aligned one.

    Returns:
        (2, 3) float64.

    Raises:
        KpstraError: landmarks that no similarity fits, or a map without inverse, as halfway to a face on its head.
    """
    factor = side / ALIGNED
    template = (TEMPLATE + 0.5) * factor - 0.5
    align = similarity(torch.from_numpy(np.asarray(landmarks, np.float64))[None], template)[0].numpy()
    align = cv2.invertAffineTransform(align)
    scale = np.array([size[1], size[0]]) / side
    resize = np.column_stack([np.diag(scale), 0.5 * scale - 0.5])
    found = (1 - progress) * resize + progress * align
    if abs(np.linalg.det(found[:, :2])) < FLAT * scale.prod():
        raise KpstraError(f"a map without inverse at {progress:g} of the way to the aligned face")
    return found


def aligned_crop(image: np.ndarray, landmarks: np.ndarray, side: int, progress: float) -> tuple[np.ndarray, np.ndarray]:
    """Return a crop (side, side, 3) uint8 that is partly aligned, and its landmarks (5, 3).

    What lies outside the image is black. A face without all five landmarks stays as the detector has it. At 0 it is
    what torchreid's test makes of the crop, which Pillow shrinks with a filter; at 1 what alignment makes of it, OpenCV
    without one. Between them the crop is first resized by Pillow by the share ``1 - t`` of the map's scale.

    Args:
        image: (H, W, 3) uint8.
        landmarks: (5, 3) x, y in its pixels, and score; all 0 where one is absent.
        side, progress: as in :func:`sampling_map`.

    Raises:
        KpstraError: as :func:`sampling_map`.
    """
    there = landmarks[:, 2] > 0
    points = landmarks[:, :2] if there.all() else TEMPLATE.numpy()
    progress = progress if there.all() else 0.0
    found = sampling_map(points, image.shape[:2], side, progress)
    resized, share = _partly_resized(image, np.hypot(*found[:, :2].T) ** (1 - progress))
    from_resized = np.column_stack([found[:, :2] * share[:, None], (found[:, 2] + 0.5) * share - 0.5])
    warped = cv2.warpAffine(resized, from_resized, (side, side), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)
    back = cv2.invertAffineTransform(found)
    moved = np.column_stack([landmarks[:, :2] @ back[:, :2].T + back[:, 2], landmarks[:, 2]])
    moved[~there] = 0
    return warped, moved.astype(landmarks.dtype)


def _partly_resized(image: np.ndarray, scale: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Resize to 1/scale in x and y by Pillow; return the image and the shares (x, y) of the old sides that it has."""
    old = np.array([image.shape[1], image.shape[0]])
    new = np.maximum(np.rint(old / scale).astype(int), 1)
    return np.asarray(Image.fromarray(image).resize(tuple(new.tolist()), Image.Resampling.BILINEAR)), new / old
