"""Errors of a crop: pixels and joints stay together, sizes are as said, and one draw serves all severities."""

import numpy as np
import pytest

from plugins.benchmarks.robustness import KINDS, Disturbance
from reid_ext.benchmarks.robustness.disturb import GREY, LARGEST, CropErrors

SIZE = (128, 64)
NAMES = [f"query/{i:04d}_c1s1_000001_00.jpg" for i in range(300)]


def errors(kind, severity=1.0, seed=0, name=NAMES[0]):
    return CropErrors.draw(SIZE, Disturbance.of(kind, severity), seed, name)


@pytest.fixture
def joints():
    chance = np.random.default_rng(0)
    return np.column_stack([chance.uniform(18, 46, 17), chance.uniform(40, 90, 17), chance.uniform(0.2, 1, 17)])


@pytest.fixture
def image():
    return np.random.default_rng(1).integers(0, 256, (*SIZE, 3)).astype(np.uint8)


@pytest.mark.parametrize("kind", ["translation", "scale", "rotation", "crop", "together"])
def test_a_mark_stays_at_its_joint(kind):
    """Its centre of mass is where the joint is said to be; one that is cut off is missing."""
    found = 0
    for name in NAMES[:20]:
        image = np.zeros((*SIZE, 3), np.uint8)
        image[58:63, 28:33, 0] = 255
        moved = errors(kind, name=name)
        red = (moved.image(image).astype(float) @ [1, -1, 0] - 20).clip(0)  # grey and black are 0
        x, y, score = moved.joints(np.array([[30.0, 60.0, 0.7]]))[0]
        if not score:
            continue
        rows, columns = np.indices(red.shape)
        if 4 < x < red.shape[1] - 5 and 4 < y < red.shape[0] - 5:  # all of it is on the crop
            np.testing.assert_allclose([x, y], [(red * at).sum() / red.sum() for at in (columns, rows)], atol=0.1)
            found += 1
    assert found > 10


@pytest.mark.parametrize("kind", KINDS)
def test_errors_follow_from_seed_and_name(kind, image, joints):
    def both(*which):
        moved = errors(kind, 1.0, *which)
        return moved.image(image), moved.joints(joints)

    once = both(0, NAMES[0])
    for one, other in zip(once, both(0, NAMES[0]), strict=True):
        np.testing.assert_array_equal(one, other)
    assert np.array_equal(once[0], image) == kind.startswith("joint")
    for other in (both(1, NAMES[0]), both(0, NAMES[1])):
        assert not all(np.array_equal(*pair) for pair in zip(once, other, strict=True))
    calm = errors(kind, 0.0)
    np.testing.assert_array_equal(calm.image(image), image)
    np.testing.assert_array_equal(calm.joints(joints), joints)


def test_severity_is_the_standard_deviation_and_scales_one_draw():
    middle = np.array([[31.5, 63.5, 1.0]])
    half, whole = (
        np.array([errors("translation", s, name=n).joints(middle)[0] - middle[0] for n in NAMES]) for s in (0.5, 1.0)
    )
    there = (whole[:, 2] == 0) & (half[:, 2] == 0)
    np.testing.assert_allclose(2 * half[there], whole[there], atol=1e-6)
    assert 0.85 < whole[there, :2].std() / (0.08 * SIZE[0]) < 1.0  # cut at two deviations
    assert np.abs(whole[there, :2]).max() <= 0.16 * SIZE[0] + 1e-6


def test_a_cut_crop_is_a_part_of_the_image(image, joints):
    lost, sides = [], set()
    for name in NAMES[:60]:
        moved = errors("crop", name=name)
        left, top, right, bottom = moved.kept
        np.testing.assert_array_equal(moved.image(image), image[top:bottom, left:right])
        sides.add((left > 0, top > 0, right < SIZE[1], bottom < SIZE[0]))
        assert sum((left > 0, top > 0, right < SIZE[1], bottom < SIZE[0])) <= 1
        lost.append(1 - (right - left) * (bottom - top) / (SIZE[0] * SIZE[1]))
        x, y = joints[:, :2].T + 0.5  # whole numbers are pixel centres
        inside = (x >= left) & (x < right) & (y >= top) & (y < bottom)
        np.testing.assert_array_equal(moved.joints(joints)[:, 2] > 0, inside)
    assert len(sides) >= 4 and 0.1 < np.sqrt(np.mean(np.square(lost))) < 0.18
    assert errors("crop", 100.0).image(image).size >= (1 - LARGEST) * image.size - 3 * max(SIZE)


@pytest.mark.parametrize("share", [0.1, 0.25, 2.0])
def test_an_occluder_has_its_share_and_hides_joints(image, joints, share):
    for name in NAMES[:20]:
        moved = errors("occlusion", share / 0.25, name=name)
        covered = (moved.image(image) == np.array(moved.colour)).all(2)
        assert covered.mean() == pytest.approx(min(share, 1.0), abs=0.02)
        found = moved.joints(joints)
        behind = covered[np.rint(joints[:, 1]).astype(int), np.rint(joints[:, 0]).astype(int)]
        np.testing.assert_array_equal(found[behind], 0)
        np.testing.assert_array_equal(found[~behind], joints[~behind])


def test_joints_alone(joints):
    joints[4] = 0
    shifts = np.array([errors("joint-noise", name=n).joints(joints) - joints for n in NAMES])
    assert not shifts[:, 4].any() and not shifts[..., 2].any()
    assert np.delete(shifts, 4, 1)[..., :2].std() == pytest.approx(0.05 * SIZE[0], rel=0.05)
    half, most = (errors("joint-dropout", s).joints(joints) for s in (1.0, 1.5))
    assert ((half == 0).all(1) & (joints[:, 2] > 0)).sum() in (7, 8)
    kept = most[:, 2] > 0
    np.testing.assert_array_equal(most[kept], joints[kept])
    assert kept.any() and (half[kept, 2] > 0).all()
    assert not errors("joint-dropout", 9.0).joints(joints).any()


def test_what_comes_in_is_grey(image):
    moved = CropErrors.draw(SIZE, Disturbance(translation=0.4), 0, NAMES[3]).image(image)
    rows = (moved == GREY).all(2)
    assert 0.1 < rows.mean() < 0.9
