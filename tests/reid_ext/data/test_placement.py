"""The host's transforms: its own images for the same random numbers, and joints that stay on them."""

import contextlib
import io
import random

import numpy as np
import pytest
import torch
from marked_images import centre, marked
from PIL import Image
from torchvision import transforms as T

from plugins.errors import KpstraError
from plugins.keypoints.joints import FLIPPED_JOINTS, FLIPPED_POINTS
from reid_ext.data.placement import Placement, TrackedTransform, tracked
from reid_ext.host import torchreid

GEOMETRIC = ["random_flip", "random_crop"]
ALL = [*GEOMETRIC, "random_patch", "color_jitter", "random_erase"]
SIZE = (160, 96)  # of the network's input


def built(transforms, train=True):
    with contextlib.redirect_stdout(io.StringIO()):
        pair = torchreid.data.transforms.build_transforms(*SIZE, transforms=transforms)
    return pair[0 if train else 1]


def seeded(seed):
    random.seed(seed)
    torch.manual_seed(seed)


@pytest.mark.parametrize("transforms", [[], *([name] for name in ALL), GEOMETRIC, ALL], ids="+".join)
def test_images_and_random_streams_are_the_hosts(transforms):
    """Also those of `random_patch`, which keeps a pool of patches, after that is full enough to be used."""
    host, ours = built(transforms), TrackedTransform(built(transforms))
    for seed in range(130 if "random_patch" in transforms else 40):
        pixels = np.random.default_rng(seed).integers(0, 256, (128, 64, 3), dtype=np.uint8)
        seeded(seed)
        expected, state = host(Image.fromarray(pixels)), (random.getstate(), torch.get_rng_state())
        seeded(seed)
        found = ours(Image.fromarray(pixels))
        assert torch.equal(found, expected)
        assert random.getstate() == state[0] and torch.equal(torch.get_rng_state(), state[1])
    assert len(ours.places) == seed + 1


@pytest.mark.parametrize("transforms", [[], ["random_flip"], ["random_crop"], GEOMETRIC], ids="+".join)
@pytest.mark.parametrize("size", [(128, 64), (90, 41)])
def test_joints_stay_on_marked_images(transforms, size):
    """One joint an image, far enough from the border to stay inside; left and right change names with a flip."""
    host = built(transforms)
    transform = TrackedTransform(T.Compose([step for step in host.transforms if not isinstance(step, T.Normalize)]))
    mirrored = 0
    for seed in range(34):
        joint, chance = seed % 17, np.random.default_rng(seed)
        x, y = chance.uniform(0.25, 0.75) * size[1], chance.uniform(0.2, 0.8) * size[0]
        keypoints = np.zeros((17, 3), np.float32)
        keypoints[joint] = x, y, 0.7
        seeded(seed)
        image = transform(marked(x, y, size))
        place = transform.places[-1]
        moved = place.move(keypoints)
        there = FLIPPED_JOINTS[joint] if place.mirrored else joint
        np.testing.assert_allclose(moved[there, :2], centre(image), atol=0.35)
        assert moved[there, 2] == keypoints[joint, 2] and not np.delete(moved, there, 0).any()
        mirrored += place.mirrored
    assert 8 < mirrored < 26 if "random_flip" in transforms else mirrored == 0


def test_a_mirrored_face_changes_its_image_sides():
    points = np.array([[20, 30, 1], [44, 30, 1], [31, 40, 1], [24, 50, 1], [40, 50, 1]], np.float32)
    mirror = Placement(mirrored=True).then((-1, 1), (63, 0))
    moved = mirror.move(points)
    assert moved[:, 0].tolist() == [63 - 44, 63 - 20, 63 - 31, 63 - 40, 63 - 24]
    np.testing.assert_array_equal(moved[FLIPPED_POINTS, 0], 63 - points[:, 0])


def test_a_step_that_may_move_pixels_unknown_to_us_is_refused():
    with pytest.raises(KpstraError, match="cannot follow images through RandomRotation: known are Resize"):
        TrackedTransform(T.Compose([T.RandomRotation(5)]))
    with pytest.raises(KpstraError, match="transpose"):
        tracked(marked(5, 5)).transpose(Image.Transpose.ROTATE_90)
