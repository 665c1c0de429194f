"""Alignment of faces: equal to the authors' vectors, and to a search for the best similarity."""

import math

import pytest
import torch
from golden_vectors import golden

from plugins.errors import KpstraError
from plugins.landmarks import TEMPLATE, align_faces, moved_landmarks, similarity, similarity_thetas, warp


@pytest.fixture(scope="module")
def vectors():
    return golden("face", "align.")


def test_equals_the_reference_vectors(vectors):
    """The template, smaller, rotated, mirrored and far off."""
    landmarks, size = vectors["align.landmarks"], 160
    torch.testing.assert_close(TEMPLATE, vectors["align.reference"])
    torch.testing.assert_close(similarity(landmarks * size, TEMPLATE), vectors["align.cv2"], atol=1e-4, rtol=1e-5)
    thetas = similarity_thetas(landmarks)
    torch.testing.assert_close(thetas, vectors["align.thetas"], atol=1e-5, rtol=1e-5)
    grid = torch.nn.functional.affine_grid(thetas, [5, 3, 112, 112], align_corners=True)
    torch.testing.assert_close(grid[:, ::8, ::8], vectors["align.grid"], atol=1e-5, rtol=1e-5)
    images = vectors["align.image"].expand(5, -1, -1, -1) / 127.5 - 1
    warped, after = align_faces(images, landmarks)
    torch.testing.assert_close(warped[..., ::8, ::8], vectors["align.warped"], atol=1e-3, rtol=0)
    torch.testing.assert_close(after, vectors["align.landmarks_after"], atol=1e-5, rtol=1e-5)


def test_no_similarity_is_nearer():
    """Small changes of the four numbers, in both directions, all add to the squared error."""
    torch.manual_seed(1)
    points = torch.rand(3, 5, 2, dtype=torch.float64)
    best = similarity(points, TEMPLATE)

    def error(matrix):
        moved = points @ matrix[:, :, :2].mT + matrix[:, None, :, 2]
        return (moved - TEMPLATE).square().sum((1, 2))

    for change in torch.eye(4, dtype=torch.float64).repeat(2, 1) * torch.tensor([[1e-3]] * 4 + [[-1e-3]] * 4):
        turned = torch.tensor([[change[0], -change[1], change[2]], [change[1], change[0], change[3]]])
        assert (error(best + turned) > error(best)).all()


def test_warp_and_landmarks_agree():
    """A bright spot lies, after the warp, where its landmark says, in a quarter turn too."""
    images = torch.full((2, 1, 112, 112), -1.0)
    spots = TEMPLATE[None].repeat(2, 1, 1)
    spots[1] = torch.stack([112 - spots[1, :, 1], spots[1, :, 0]], 1) * 0.5 + 10  # quarter turn, half as large
    at = spots[:, 2].round().int()
    for image, (x, y) in zip(images, at, strict=True):
        image[0, y - 1 : y + 2, x - 1 : x + 2] = 1
    spots[:, 2] = at
    aligned, after = align_faces(images, (spots / 112).float())
    weight = (aligned[:, 0] + 1) / (aligned[:, 0] + 1).sum((1, 2), keepdim=True)
    centre = torch.stack([(weight.sum(1) * torch.arange(112)).sum(1), (weight.sum(2) * torch.arange(112)).sum(1)], 1)
    apart = (centre - after[:, 2] * 112).abs().amax(1)
    assert apart[0] < 0.1 and apart[1] < 1.25  # pixels: half an input pixel, the conventions of the module's head
    assert math.isclose(float(aligned.min()), -1, abs_tol=1e-6)


def test_gradients_pass_to_landmarks_by_the_points_alone():
    landmarks = (TEMPLATE / 112).float()[None].requires_grad_()
    thetas = similarity_thetas(landmarks)
    assert not thetas.requires_grad
    moved_landmarks(landmarks, thetas).sum().backward()
    torch.testing.assert_close(landmarks.grad, torch.ones(1, 5, 2), atol=1e-4, rtol=0)
    assert warp(torch.zeros(1, 3, 8, 8), thetas, 7).shape == (1, 3, 7, 7)


@pytest.mark.parametrize("value", [0.5, math.nan, math.inf])
def test_points_without_a_similarity_are_named(value):
    landmarks = torch.stack([TEMPLATE.float() / 112, torch.full((5, 2), value)])
    with pytest.raises(KpstraError, match="landmarks of image 1: all the same, NaN or infinite"):
        similarity_thetas(landmarks)


def test_only_squares_are_aligned():
    with pytest.raises(KpstraError, match="64x96: expected square ones"):
        align_faces(torch.zeros(1, 3, 64, 96), (TEMPLATE / 112).float()[None])


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_images_of_other_types_are_sampled_in_single_precision_at_least(dtype):
    torch.manual_seed(0)
    images, landmarks = torch.rand(2, 3, 40, 40) * 2 - 1, torch.rand(2, 5, 2)
    images, landmarks = images.to(dtype), landmarks.to(dtype)
    exact = align_faces(images.double(), landmarks.double(), 16)
    for got, expected in zip(align_faces(images, landmarks, 16), exact, strict=True):
        assert got.dtype == dtype
        rounding = 4 * max(torch.finfo(dtype).eps, torch.finfo(torch.float32).eps * 100)
        torch.testing.assert_close(got.double(), expected, atol=rounding, rtol=rounding)
