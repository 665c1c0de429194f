"""Walkers: seeds, anatomy, joints on the body, views, identities, misalignment, noise."""

import subprocess
import sys
from dataclasses import fields, replace

import cv2
import numpy as np
import pytest

from plugins.benchmarks.walkers import (
    Alignment,
    Identity,
    Outfit,
    Scene,
    Sequence,
    alignment_errors,
    displace,
    render,
    render_colours,
)
from plugins.benchmarks.walkers.identity import SPREADS
from plugins.errors import KpstraError
from plugins.keypoints.joints import COCO17

LEFT, RIGHT = (
    np.array([i for i, n in enumerate(COCO17) if "left" in n]),
    np.array([i for i, n in enumerate(COCO17) if "right" in n]),
)
AZIMUTHS = range(0, 360, 30)


def length(keypoints, a, b):
    """The longest that a bone is seen in a sequence."""
    return np.linalg.norm(keypoints[:, a, :2] - keypoints[:, b, :2], axis=1).max()


def on_silhouette(silhouettes, keypoints, reach=0):
    """Share of the confident joints on the silhouette, or ``reach`` pixels beside it."""
    kernel = np.ones((2 * reach + 1,) * 2, np.uint8)
    sure = keypoints[..., 2] >= 0.5
    frame, _ = np.nonzero(sure)
    x, y = np.rint(keypoints[..., :2][sure]).astype(int).T
    return np.mean([cv2.dilate(silhouettes[t], kernel)[v, u] > 0 for t, u, v in zip(frame, x, y, strict=True)])


def test_the_same_seed_gives_the_same_bytes_and_another_does_not():
    def once(seed=4):
        sequence = Sequence.sample(seed, 60, view_jitter=15, clothing=1, noise=0.5, joint_noise=0.01, alignment=0.5)
        return render(Identity.sample(3), sequence, 12)

    for a, b, other in zip(once(), once(), once(5), strict=True):
        np.testing.assert_array_equal(a, b)
        assert a.dtype == other.dtype and (a != other).any()
    assert Identity.sample(3) == Identity.sample(3) != Identity.sample(4)
    assert Identity.sample(3, spread=0) == Identity.sample(4, spread=0)


def test_shapes_types_and_values():
    silhouettes, keypoints = render(Identity.sample(0), Sequence(), 7, (96, 64))
    assert silhouettes.shape == (7, 96, 64) and silhouettes.dtype == np.uint8
    assert set(np.unique(silhouettes)) == {0, 255}
    assert keypoints.shape == (7, 17, 3) and keypoints.dtype == np.float32 and np.isfinite(keypoints).all()
    assert (keypoints[..., 2] > 0).all() and (keypoints[..., 2] <= 1).all()
    assert set(SPREADS) == {field.name for field in fields(Identity)}


@pytest.mark.parametrize("azimuth", AZIMUTHS)
def test_confident_joints_are_on_the_silhouette(azimuth):
    exact, noisy = [], []
    for seed in range(4):
        walker = Identity.sample(seed)
        exact.append(on_silhouette(*render(walker, Sequence.sample(seed, azimuth, clothing=0.5), 30)))
        sequence = Sequence.sample(seed, azimuth, view_jitter=15, clothing=0.5, noise=0.3, joint_noise=0.005)
        noisy.append(on_silhouette(*render(walker, sequence, 30), reach=3))
    assert np.mean(exact) >= 0.97 and np.mean(noisy) >= 0.97


def test_the_person_is_whole_and_in_the_middle():
    for azimuth in AZIMUTHS:
        silhouettes, _ = render(Identity.sample(1), Sequence.sample(1, azimuth), 30)
        for image in silhouettes:
            x, y, width, height = cv2.boundingRect(image)
            assert 0.6 < height / 128 < 0.9 and x > 0 and y > 0 and x + width < 96 and y + height < 128
            assert cv2.connectedComponents(image)[0] == 2  # one piece and the background


def test_sides_are_the_persons_own_under_every_view():
    walker = Identity.sample(2)
    for azimuth, sign in ((0, 1), (40, 1), (320, 1), (180, -1), (140, -1), (220, -1)):
        _, keypoints = render(walker, Sequence(azimuth=azimuth), 30)
        for left, right in ((5, 6), (11, 12)):
            assert (sign * (keypoints[:, left, 0] - keypoints[:, right, 0]) > 0).all()
    for azimuth, sign in ((90, 1), (270, -1)):  # toes and nose point to where the walk goes
        _, keypoints = render(walker, Sequence(azimuth=azimuth), 30)
        assert (sign * (keypoints[:, 0, 0] - keypoints[:, 3:5, 0].mean(1)) > 0).all()
    near, far = (render(walker, Sequence(azimuth=a), 30)[1][:, :, 2].mean(0) for a in (90, 270))
    assert near[RIGHT].mean() > near[LEFT].mean() and far[LEFT].mean() > far[RIGHT].mean()
    front, back = (render(walker, Sequence(azimuth=a), 5)[1][:, 0, 2].mean() for a in (0, 180))
    assert front > 0.8 and back < 0.4


def test_a_mirrored_view_is_the_mirror_image_of_the_mirrored_walk():
    walker = replace(Identity.sample(2), asymmetry=0.0)
    a, joints = render(walker, Sequence(azimuth=60), 10)
    b, mirrored = render(walker, Sequence(azimuth=300, phase=np.pi), 10)
    swapped = np.arange(17)
    swapped[LEFT], swapped[RIGHT] = RIGHT, LEFT
    np.testing.assert_allclose(mirrored[:, swapped, 0], 95 - joints[..., 0], atol=1e-3)
    np.testing.assert_allclose(mirrored[:, swapped, 1], joints[..., 1], atol=1e-3)
    assert (b[..., ::-1] != a).mean() < 0.005


def test_feet_stand_on_the_ground_and_the_walk_is_a_cycle():
    walker = Identity.sample(6)
    _, keypoints = render(walker, Sequence(azimuth=90), 60)
    ankles = keypoints[:, 15:, :2]
    lowest = ankles[..., 1].max(1)
    assert np.ptp(lowest) < 0.05 * 128
    period = 25 / walker.cadence
    ahead = ankles[:, 0, 0] - ankles[:, 1, 0]
    changes = np.flatnonzero(np.diff(np.sign(ahead)))
    np.testing.assert_allclose(np.diff(changes).mean(), period / 2, rtol=0.1)
    stance = np.argmin(np.abs(ahead))
    assert abs(ankles[stance, 0, 1] - ankles[stance, 1, 1]) > 1  # the swinging foot is lifted


def test_identities_differ_more_than_sequences_of_one():
    def proportions(identity, seed):
        """Bones as the joints show them, over the height of the trunk."""
        sequence = Sequence.sample(seed, 90, view_jitter=5, clothing=0.5, noise=0.3, joint_noise=0.002)
        _, keypoints = render(Identity.sample(identity), sequence, 60)
        return [length(keypoints, *bone) / length(keypoints, 5, 11) for bone in ((11, 13), (13, 15), (5, 7), (7, 9))]

    measured = np.array([[proportions(i, 10 * i + k) for k in range(4)] for i in range(12)])  # people, sequences, bones
    within, between = measured.std(1).mean(0), measured.mean(1).std(0)
    assert (between > 1.5 * within).all(), (between, within)


def test_alignment_errors_move_silhouettes_and_joints_together():
    walker = Identity.sample(1)
    straight = Sequence(seed=3, azimuth=70)
    for kind in ({"translation": 0.06}, {"scale": 0.15}, {"rotation": 12.0}):
        moved = replace(straight, alignment=Alignment(**kind))
        errors = alignment_errors(moved.alignment, 3, 10)
        (a, before), (b, after) = render(walker, straight, 10), render(walker, moved, 10)
        assert (a != b).any() and np.abs(after - before)[..., :2].max() > 2
        np.testing.assert_array_equal(before[..., 2], after[..., 2])
        assert on_silhouette(b, after, reach=1) >= 0.97
        images, joints = displace(a, before, errors)  # pixels moved instead of the body
        np.testing.assert_allclose(joints, after, atol=1e-3)
        assert ((images > 127) != (b > 0)).sum() < 0.12 * (b > 0).sum()
    # a mark drawn at a joint stays at the joint
    image, point = np.zeros((1, 128, 96), np.uint8), np.float32([[[50, 40, 1]] * 17])
    image[0, 38:43, 48:53] = 255
    marks, joints = displace(image, point, alignment_errors(Alignment.of(1), 8, 1))
    ys, xs = np.nonzero(marks[0] > 127)
    assert np.hypot(xs.mean() - joints[0, 0, 0], ys.mean() - joints[0, 0, 1]) < 0.5
    assert np.abs(joints[0, 0, :2] - (50, 40)).max() > 2


def test_noise_and_clothes_change_the_silhouette_and_not_the_joints():
    walker, plain = Identity.sample(1), Sequence(seed=2, azimuth=30)
    base, joints = render(walker, plain, 20)
    spoilt, same = render(walker, replace(plain, noise=0.5), 20)
    np.testing.assert_array_equal(joints, same)
    changed = (base != spoilt).mean((1, 2)) / (base > 0).mean((1, 2))
    assert 0.02 < changed.mean() < 0.4
    for wear in ({"clothing": 1.3}, {"coat": 1.0}, {"bag": 0.15}):
        dressed, same = render(walker, replace(plain, **wear), 20)
        np.testing.assert_array_equal(joints, same)
        assert (dressed > 0).sum() > 1.02 * (base > 0).sum() and ((base > 0) & (dressed == 0)).sum() == 0


def test_colours_follow_outfit_and_scene():
    walker, sequence, scene = Identity.sample(0), Sequence(azimuth=0), Scene(grain=0.0)
    red = replace(Outfit.sample(0), upper=(200, 20, 20))
    crops, keypoints = render_colours(walker, red, sequence, scene, 2)
    assert crops.shape == (2, 128, 64, 3) and crops.dtype == np.uint8 and keypoints.shape == (2, 17, 3)
    x, y = keypoints[0, [5, 6, 11, 12], :2].mean(0).astype(int)
    r, g, b = crops[0, y, x]
    assert r > 150 and g < 60 and b < 60
    darker, _ = render_colours(walker, red, sequence, replace(scene, brightness=0.5), 2)
    assert darker.mean() < 0.6 * crops.mean()
    again, _ = render_colours(walker, red, sequence, scene, 2)
    np.testing.assert_array_equal(crops, again)
    shared = {(o.upper, o.lower) for o in map(Outfit.sample, range(200))}
    assert len(shared) <= 24  # so several people look alike from afar


@pytest.mark.parametrize(
    ("make", "what"),
    [
        (lambda: Identity.sample(-1), "seed -1"),
        (lambda: Sequence.sample(0, 0, noise=-0.1), "noise -0.1"),
        (lambda: Sequence.sample(0, 0, view_jitter=-5), "view jitter -5: expected 0 to 180 degrees"),
        (lambda: Sequence.sample(0, 0, alignment=float("nan")), "alignment error nan"),
        (lambda: render(Identity.sample(0), Sequence(), 0), "0 frames"),
        (lambda: render(Identity.sample(0), Sequence(), 1, (8, 8)), "8x8"),
    ],
)
def test_mistakes(make, what):
    with pytest.raises(KpstraError, match=what):
        make()


def test_the_module_imports_no_host_and_no_torch():
    code = (
        "import sys, plugins.benchmarks.walkers; "
        "print(*(m for m in ('torch', 'cv2', 'torchreid', 'opengait_ext') if m in sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""
