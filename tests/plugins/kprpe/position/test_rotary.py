"""Rotary positions: the fit of the body's frame, the angles, and what scores may depend on."""

import warnings

import numpy as np
import pytest
import torch

from plugins.errors import KpstraError
from plugins.kprpe import KeypointRPE, WindowedKeypointRPE
from plugins.kprpe.position.rotary import body_frame, rotate, rotation

TEMPLATE = torch.tensor([[0.3, 0.2], [0.7, 0.25], [0.5, 0.6], [0.4, 0.9]]).double()


def turned(points, degrees=30.0, scale=0.7, shift=(0.2, -0.1)):
    """A similarity of the image."""
    a = np.deg2rad(degrees)
    matrix = scale * torch.tensor([[np.cos(a), -np.sin(a)], [np.sin(a), np.cos(a)]])
    return points @ matrix.T + torch.tensor(shift).double()


def test_the_fit_is_numpys_weighted_least_squares():
    points, weight = torch.rand(3, 4, 2).double(), torch.rand(3, 4).double()
    linear, shift = body_frame(points, weight, TEMPLATE)
    for p, w, a, t in zip(points, weight, linear, shift, strict=True):
        root = w.sqrt()[:, None]
        design = torch.cat((p, torch.ones(4, 1).double()), dim=1)
        expected = np.linalg.lstsq((root * design).numpy(), (root * TEMPLATE).numpy(), rcond=None)[0]
        np.testing.assert_allclose(torch.cat((a.T, t[None])), expected, atol=1e-9)


def test_a_moved_template_is_found_whatever_absent_joints_say():
    points = turned(TEMPLATE).unsqueeze(0).clone()
    points[0, 3] = 5.0
    linear, shift = body_frame(points, torch.tensor([[1.0, 1, 1, 0]]).double(), TEMPLATE)
    torch.testing.assert_close(points[:, :3] @ linear.transpose(1, 2) + shift[:, None], TEMPLATE[None, :3])


@pytest.mark.parametrize(
    ("points", "confidence"),
    [
        (torch.linspace(0, 1, 4)[:, None].expand(-1, 2), None),  # on a line
        (TEMPLATE, [1, 1, 0, 0]),  # two joints
        (TEMPLATE, [0, 0, 0, 0]),
        (torch.full((4, 2), 0.4), None),  # all in one place
    ],
)
def test_a_pose_without_a_frame_has_the_images_axes(points, confidence):
    weight = None if confidence is None else torch.tensor([confidence]).double()
    linear, shift = body_frame(points.double().unsqueeze(0), weight, TEMPLATE)
    assert torch.equal(linear[0], torch.eye(2).double()) and not shift.any()


def test_so_has_a_template_without_a_frame():
    linear, _ = body_frame(torch.rand(2, 4, 2), None, torch.zeros(4, 2))
    assert torch.equal(linear, torch.eye(2).expand(2, -1, -1))


def test_rotations_turn_pairs_and_scores_know_differences_only():
    places = torch.rand(5, 2).double()
    q, k = torch.randn(2, 5, 8).double()
    by = rotation(places, 8)
    out = rotate(q, by)
    for i, (x, y) in enumerate(places.tolist()):
        for pair, angle in enumerate((12.566370614 * x, 1.2566370614 * x, 12.566370614 * y, 1.2566370614 * y)):
            turned_pair = complex(q[i, 2 * pair], q[i, 2 * pair + 1]) * np.exp(1j * angle)
            assert abs(turned_pair - complex(out[i, 2 * pair], out[i, 2 * pair + 1])) < 1e-8
    moved = rotation(places + torch.tensor([0.3, -0.4]).double(), 8)
    torch.testing.assert_close(rotate(q, by) @ rotate(k, by).T, rotate(q, moved) @ rotate(k, moved).T)


def test_half_types_are_rotated_as_single_precision_is():
    by, x = rotation(torch.rand(5, 2), 8), torch.randn(3, 5, 8)
    half = rotate(x.bfloat16(), by)
    assert half.dtype == torch.bfloat16
    torch.testing.assert_close(half.float(), rotate(x, by), atol=0.03, rtol=0.03)


def fitted(rpe):
    rpe.pose.set(TEMPLATE, torch.ones(4, 2))
    return rpe.double()


def test_in_the_bodys_frame_a_tokens_angles_follow_the_pose():
    rpe = fitted(KeypointRPE(4, (3, 2), 2, 1, "none", prefix_tokens=1, rotary="body"))
    points = turned(TEMPLATE).unsqueeze(0)
    got = rpe.rotation(points, None, 8)
    linear, shift = body_frame(points, None, TEMPLATE)
    places = rpe.centres @ linear[0].T + shift[0]
    expected = rotation(places, 8)
    torch.testing.assert_close(got.cos[0, 0, 1:], expected.cos)
    torch.testing.assert_close(got.sin[0, 0, 1:], expected.sin)
    x = torch.randn(1, 1, 7, 8).double()
    assert torch.equal(rotate(x, got)[0, 0, 0], x[0, 0, 0])  # the class token is not rotated


@pytest.mark.parametrize("window", [(1, 2, 3), (2, 2, 3)], ids=["plane", "time"])
def test_windows_take_each_tokens_own_frame_and_place_in_the_image(window):
    shift, frames, (height, width) = (window[0] // 2, 1, 1), 4, (3, 5)
    rpe = fitted(WindowedKeypointRPE(4, (height, width), window, 1, [shift], formulation="none", rotary="body"))
    assert rpe.grid == "image"
    points = torch.rand(2 * frames, 4, 2).double()
    got = rpe.rotation(points, None, 12, 0, frames)
    linear, moved = body_frame(points, None, TEMPLATE)
    rows, columns = 4, 6  # padded
    for b in range(2):
        for t in range(frames):
            frame = b * frames + (t + shift[0]) % frames
            for y in range(rows):
                for x in range(columns):
                    sy, sx = (y + 1) % rows, (x + 1) % columns
                    if sy >= height or sx >= width:
                        continue  # padding
                    m = torch.tensor([(sx + 0.5) / width, (sy + 0.5) / height]).double()
                    place = linear[frame] @ m + moved[frame]
                    inside = t % window[0]
                    place = torch.cat((place, torch.tensor([float(inside)]).double())) if window[0] > 1 else place
                    expected = rotation(place[None], 12)
                    token = inside * 6 + y % 2 * 3 + x % 3
                    at = (b * frames + t) // window[0], y // 2 * 2 + x // 3, 0, token
                    torch.testing.assert_close(got.cos[at], expected.cos[0])
                    torch.testing.assert_close(got.sin[at], expected.sin[0])


def test_a_constant_pose_is_the_images_frame():
    settings = {"formulation": "none", "rotary": "body", "keypoints": "constant"}
    constant = fitted(KeypointRPE(4, (3, 2), 2, 1, **settings))
    image = KeypointRPE(4, (3, 2), 2, 1, "none", rotary="image").double()
    points = torch.rand(3, 4, 2).double()
    of_body, of_image = constant.rotation(points, None, 8), image.rotation(points, None, 8)
    torch.testing.assert_close(of_body.cos, of_image.cos.expand_as(of_body.cos))
    assert of_image.cos.shape == (1, 1, 6, 4)


def test_a_mean_pose_that_was_never_set_is_told_once():
    rpe = KeypointRPE(4, (3, 2), 2, 1, "none", rotary="body")
    with pytest.warns(UserWarning, match="rotary 'body' has no mean pose to fit and takes the image's axes"):
        rpe.rotation(torch.rand(1, 4, 2), None, 8)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        rpe.rotation(torch.rand(1, 4, 2), None, 8)


def test_mistakes_are_named():
    with pytest.raises(KpstraError, match="heads of 7 channels: expected an even number, 4 or more"):
        KeypointRPE(4, (3, 2), 2, 1, rotary="image").rotation(torch.rand(1, 4, 2), None, 7)
    with pytest.raises(KpstraError, match="rotary: 'bodies' is not one of none, image, body"):
        KeypointRPE(4, (3, 2), 2, 1, rotary="bodies")
    with pytest.raises(KpstraError, match="formulation 'none' without rotary"):
        KeypointRPE(4, (3, 2), 2, 1, "none")
    with pytest.raises(KpstraError, match="formulation 'none' has no bias"):
        KeypointRPE(4, (3, 2), 2, 1, "none", rotary="image").bias(torch.rand(1, 4, 2), 0)
