"""Alignment of faces by the least-squares similarity transform of five landmarks to a template.

Landmarks are pixel index / size, theta maps [-1, 1] of the output to [-1, 1] of the input by that convention, and is
sampled with ``align_corners=True``, which means another one: up to half a pixel apart, as the KP-RPE paper's code does
and its weights were trained.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from ..errors import KpstraError

ALIGNED = 112  # pixels, the side of an aligned face
TEMPLATE = torch.tensor(  # of an aligned face, in pixels: image-left eye, image-right eye, nose, mouth corners
    [
        [38.29459953, 51.69630051],
        [73.53179932, 51.50139999],
        [56.02519989, 71.73660278],
        [41.54930115, 92.36550140],
        [70.72990036, 92.20410156],
    ],
    dtype=torch.float64,
)


def similarity(points: Tensor, target: Tensor) -> Tensor:
    """Return the rotation, scale and shift that bring points nearest to a target, without reflection.

    With points and target as complex numbers it is the linear regression ``target = a points + b``, whose squared
    error no other similarity falls below (Umeyama, 1991, in two dimensions).

    Args:
        points: (B, K, 2) x, y.
        target: (K, 2) or (B, K, 2).

    Returns:
        (B, 2, 3) float64: ``target = matrix[:, :2] point + matrix[:, 2]``, as OpenCV's ``warpAffine`` takes it.

    Raises:
        KpstraError: points that are all the same, NaN or infinite.

    Example:
        >>> similarity(torch.tensor([[[0.0, 0.0], [1.0, 0.0]]]), torch.tensor([[2.0, 0.0], [2.0, 3.0]]))
        tensor([[[ 0., -3.,  2.],
                 [ 3.,  0.,  0.]]], dtype=torch.float64)
    """
    points = torch.view_as_complex(points.double().contiguous())
    target = torch.view_as_complex(target.double().contiguous()).expand_as(points)
    centre, target_centre = points.mean(1, keepdim=True), target.mean(1, keepdim=True)
    spread = (points - centre).abs().square().sum(1)
    if not (torch.isfinite(spread) & (spread > 0)).all():
        row = int((~(torch.isfinite(spread) & (spread > 0))).nonzero()[0])
        raise KpstraError(f"landmarks of image {row}: all the same, NaN or infinite; no similarity transform fits them")
    a = ((points - centre).conj() * (target - target_centre)).sum(1) / spread
    return _matrix(a, target_centre[:, 0] - a * centre[:, 0])


def similarity_thetas(landmarks: Tensor) -> Tensor:
    """Return what aligns faces to :data:`TEMPLATE`, as ``torch.nn.functional.affine_grid`` takes it.

    No gradient passes to the landmarks, as in the KP-RPE paper's code.

    Args:
        landmarks: (B, 5, 2) x, y in shares of a square image.

    Returns:
        (B, 2, 3) float32, from the aligned image to the input.

    Raises:
        KpstraError: as :func:`similarity`.
    """
    a, b = _complex(similarity(landmarks.detach(), TEMPLATE.to(landmarks.device) / ALIGNED))
    corner = torch.tensor(1 + 1j, dtype=a.dtype, device=a.device)  # shares s are (u + 1) / 2
    return _matrix(1 / a, (corner - 2 * b) / a - corner).float()


def warp(images: Tensor, thetas: Tensor, size: int = ALIGNED) -> Tensor:
    """Sample aligned faces (B, C, size, size) from images (B, C, H, W) in [-1, 1]; outside is black, -1.

    In single precision at least, as half types cannot tell neighbouring pixels; the images' type comes back.
    """
    exact = torch.promote_types(images.dtype, torch.float32)
    grid = F.affine_grid(thetas.to(exact), [len(thetas), images.shape[1], size, size], align_corners=True)
    return (F.grid_sample(images.to(exact) + 1, grid, align_corners=True) - 1).to(images.dtype)


def moved_landmarks(landmarks: Tensor, thetas: Tensor) -> Tensor:
    """Return where landmarks (B, 5, 2) lie after the warp, in shares; gradients pass to the landmarks."""
    exact = torch.promote_types(landmarks.dtype, torch.float32)
    matrix, shift = thetas[:, :, :2].to(exact), thetas[:, None, :, 2].to(exact)
    moved = torch.linalg.solve(matrix, (2 * landmarks.to(exact) - 1 - shift).mT).mT
    return ((moved + 1) / 2).to(landmarks.dtype)


def align_faces(images: Tensor, landmarks: Tensor, size: int = ALIGNED) -> tuple[Tensor, Tensor]:
    """Return aligned faces and their landmarks.

    Args:
        images: (B, C, S, S) in [-1, 1], square.
        landmarks: (B, 5, 2) in shares.
        size: side of the aligned faces, in pixels.

    Raises:
        KpstraError: images that are not square; as :func:`similarity`.
    """
    if images.shape[-1] != images.shape[-2]:
        raise KpstraError(f"images of {images.shape[-2]}x{images.shape[-1]}: expected square ones; pad them first")
    thetas = similarity_thetas(landmarks)
    return warp(images, thetas, size), moved_landmarks(landmarks, thetas)


def _matrix(a: Tensor, b: Tensor) -> Tensor:
    """Multiplication by a and addition of b, complex, (B, 2, 3)."""
    return torch.stack([torch.stack([a.real, -a.imag, b.real], -1), torch.stack([a.imag, a.real, b.imag], -1)], 1)


def _complex(matrix: Tensor) -> tuple[Tensor, Tensor]:
    return torch.complex(matrix[:, 0, 0], matrix[:, 1, 0]), torch.complex(matrix[:, 0, 2], matrix[:, 1, 2])
