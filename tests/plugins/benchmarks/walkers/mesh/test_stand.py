"""Walkers in anny's bodies: upright, on the ground, joints on the right limbs under every view, clothes, colours."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

pytest.importorskip("anny", reason="kpstra[bodies] is not installed")

from plugins.benchmarks.walkers import Alignment, MeshIdentity, Outfit, Scene, Sequence, render, render_colours
from plugins.benchmarks.walkers.mesh import load_body
from plugins.benchmarks.walkers.mesh.stand import measured
from plugins.keypoints.joints import COCO17

LEFT, RIGHT = ([i for i, name in enumerate(COCO17) if side in name] for side in ("left", "right"))


def joint(keypoints, name):
    return keypoints[:, COCO17.index(name), :2]


@pytest.fixture(scope="module")
def side_view():
    return render(MeshIdentity.sample(2), Sequence(azimuth=90), 27)


def test_shapes_types_values_and_seeds():
    sequence = Sequence.sample(3, 60, clothing=1, noise=0.5, joint_noise=0.01, joint_errors=1, alignment=0.5)
    silhouettes, keypoints = render(MeshIdentity.sample(0), sequence, 2, (96, 64))
    assert silhouettes.shape == (2, 96, 64) and silhouettes.dtype == np.uint8
    assert keypoints.shape == (2, 17, 3) and keypoints.dtype == np.float32 and np.isfinite(keypoints).all()
    for a, b in zip((silhouettes, keypoints), render(MeshIdentity.sample(0), sequence, 2, (96, 64)), strict=True):
        np.testing.assert_array_equal(a, b)
    assert (render(MeshIdentity.sample(1), sequence, 2, (96, 64))[0] != silhouettes).any()


@pytest.mark.parametrize("azimuth", [0, 50, 90, 180, 250])
def test_the_person_is_whole_and_the_joints_are_on_it(azimuth):
    silhouettes, keypoints = render(MeshIdentity.sample(4), Sequence(azimuth=azimuth), 4)
    for image, points in zip(silhouettes, keypoints, strict=True):
        x, y, width, height = cv2.boundingRect(image)
        assert 0.6 < height / 128 < 0.9 and x > 0 and y > 0 and x + width < 96 and y + height < 128
        assert cv2.connectedComponents(image)[0] == 2  # one piece and the background
        column, row = np.rint(points[:, :2]).astype(int).T
        assert (image[row, column] > 0).mean() > 0.9


def test_sides_are_the_persons_own_and_the_face_looks_ahead():
    walker = MeshIdentity.sample(2)
    for azimuth, sign in ((0, 1), (40, 1), (180, -1), (220, -1)):
        _, keypoints = render(walker, Sequence(azimuth=azimuth), 5)
        for name in ("shoulder", "hip", "elbow"):
            assert (sign * (joint(keypoints, f"left_{name}") - joint(keypoints, f"right_{name}"))[:, 0] > 0).all()
    for azimuth, sign in ((90, 1), (270, -1)):
        _, keypoints = render(walker, Sequence(azimuth=azimuth), 3)
        assert (sign * (joint(keypoints, "nose") - joint(keypoints, "left_ear"))[:, 0] > 0).all()
    near, far = (render(walker, Sequence(azimuth=a), 3)[1][:, 5:, 2].mean(0) for a in (90, 270))
    left, right = np.array(LEFT[2:]) - 5, np.array(RIGHT[2:]) - 5
    assert near[right].mean() > near[left].mean() and far[left].mean() > far[right].mean()


def test_upright_walking_with_arms_against_legs(side_view):
    _, keypoints = side_view
    heights = [joint(keypoints, f"left_{name}")[:, 1].mean() for name in ("ear", "shoulder", "hip", "knee", "ankle")]
    assert (np.diff(heights) > 8).all()
    leg, arm = (
        (joint(keypoints, f"left_{name}") - joint(keypoints, f"right_{name}"))[:, 0] for name in ("ankle", "wrist")
    )
    assert np.ptp(leg) > 20 and np.corrcoef(leg, arm)[0, 1] < -0.8
    knee, ankle, hip = (joint(keypoints, f"right_{name}")[:, 0] for name in ("knee", "ankle", "hip"))
    assert (knee > (hip + ankle) / 2 - 1).all()  # knees bend forwards only; the walk goes to the right


def test_the_feet_are_on_the_ground(side_view):
    silhouettes, _ = side_view
    lowest = [np.flatnonzero(image.any(1)).max() for image in silhouettes]
    assert np.ptp(lowest) <= 2


def test_clothes_add_and_do_not_move_joints():
    walker, plain = MeshIdentity.sample(1), Sequence(azimuth=30)
    base, joints = render(walker, plain, 2)
    for wear, share in (({"clothing": 1.3}, 1.05), ({"coat": 1.0}, 1.02), ({"bag": 0.15}, 1.02)):
        dressed, same = render(walker, replace(plain, **wear), 2)
        np.testing.assert_array_equal(joints, same)
        assert (dressed > 0).sum() > share * (base > 0).sum()
        assert ((base > 0) & (dressed == 0)).sum() <= 0.01 * (base > 0).sum()


def test_alignment_errors_move_silhouettes_and_joints_together():
    walker, straight = MeshIdentity.sample(1), Sequence(seed=3, azimuth=70)
    moved = replace(straight, alignment=Alignment(translation=0.06))
    (a, before), (b, after) = (render(walker, sequence, 2) for sequence in (straight, moved))
    centres = [[np.mean(np.nonzero(image)[::-1], axis=1) for image in images] for images in (a, b)]
    np.testing.assert_allclose(np.subtract(*centres[::-1]), (after - before)[:, 0, :2], atol=0.5)
    assert np.abs(after - before)[..., :2].max() > 2


def test_crops_wear_the_outfit_where_it_belongs():
    red = replace(Outfit.sample(0), upper=(200, 20, 20), lower=(20, 20, 200), shoes=(20, 200, 20), trousers=True)
    crops, keypoints = render_colours(MeshIdentity.sample(0), red, Sequence(), Scene(grain=0.0), 1)
    assert crops.shape == (1, 128, 64, 3) and crops.dtype == np.uint8

    def colour(a, b, share=0.5):
        x, y = (1 - share) * joint(keypoints, a)[0] + share * joint(keypoints, b)[0]
        return int(crops[0, round(float(y)), round(float(x))].astype(int).argmax())

    assert colour("left_shoulder", "right_hip") == 0 and colour("left_hip", "left_knee", 0.7) == 2
    assert colour("left_knee", "left_ankle", 0.4) == 2 and colour("left_knee", "left_ankle", 1.12) == 1


def test_bodies_are_of_peoples_sizes_and_differ():
    body = load_body()
    people = [measured(person, body, body.rest(person.phenotypes)) for person in map(MeshIdentity.sample, range(12))]
    heights = np.array([person.height for person in people])
    assert (heights > 1.45).all() and (heights < 2.05).all() and heights.std() > 0.04
    assert np.std([person.girth for person in people]) > 0.05
    assert all(0.2 < person.thigh < 0.3 and 0.2 < person.shank < 0.3 for person in people)
