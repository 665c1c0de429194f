"""Joint transforms: silhouettes as the host transforms them, joints on the same body points."""

import random

import cv2
import numpy as np
import pytest

from opengait_ext.data.joint_transform import build_joint_transform
from opengait_ext.data.joint_transform.steps import STEPS
from plugins.errors import KpstraError
from plugins.keypoints.joints import FLIPPED_JOINTS

pytest_plugins = ["host_folders"]
NODES = [
    {"type": "BaseSilTransform", "divsor": 127.0},
    {"type": "BaseSilCuttingTransform"},
    {"type": "RandomHorizontalFlip", "prob": 0.5},
    {"type": "RandomRotate", "prob": 0.8, "degree": 25},
    {"type": "RandomPerspective", "prob": 0.8},
    {"type": "RandomAffine", "prob": 0.8},
    {"type": "RandomErasing", "prob": 0.8},
    {"type": "RandomErasing", "prob": 0.8, "per_frame": True},
]
MOVING = ("RandomRotate", "RandomPerspective", "RandomAffine", "RandomSimilarity", "RandomHorizontalFlip")


def sequence(width=64, frames=4, seed=0):
    """Blobs at whole-pixel joints, away from the border: silhouettes (s, 64, W) and keypoints (s, 17, 3)."""
    chance = np.random.default_rng(seed)
    x, y = chance.uniform(0.35 * width, 0.65 * width, (frames, 17)), chance.uniform(22, 42, (frames, 17))
    points = np.stack([x, y], -1)
    keypoints = np.concatenate([points.round(), chance.uniform(0, 1, (frames, 17, 1))], -1).astype(np.float32)
    silhouettes = chance.integers(0, 256, (frames, 64, width)).astype(np.uint8)
    return silhouettes, keypoints


def drawn(step, seed, *arguments):
    random.seed(seed)
    return step(*arguments), random.getstate()


@pytest.mark.parametrize("node", NODES, ids=[f"{node['type']}-{len(node)}" for node in NODES])
@pytest.mark.parametrize("width", [64, 44])
def test_silhouettes_equal_the_hosts(host, node, width):
    """For 25 states of the generator: the same pixels, type and shape, and as many numbers drawn."""
    theirs = host("data.transform").get_transform(node)
    ours = build_joint_transform([node], "test")
    changed = 0
    for seed in range(25):
        silhouettes, keypoints = sequence(width, seed=seed)
        expected, expected_state = drawn(theirs, seed, silhouettes.copy())
        (found, _), state = drawn(ours, seed, silhouettes, keypoints)
        assert state == expected_state
        assert found.dtype == expected.dtype and np.array_equal(found, expected)
        changed += not np.array_equal(found, silhouettes)
    assert changed > 3


def test_a_whole_pipeline_equals_the_hosts(host):
    """The augmentation of the configurations, one draw after another."""
    nodes = [
        {"type": "RandomPerspective", "prob": 0.5},
        {"type": "BaseSilCuttingTransform"},
        {"type": "RandomHorizontalFlip", "prob": 0.5},
        {"type": "RandomRotate", "prob": 0.5},
    ]
    transform = host("data.transform")
    theirs, ours = transform.Compose(nodes), build_joint_transform(nodes, "test")
    for seed in range(25):
        silhouettes, keypoints = sequence(seed=seed)
        expected, _ = drawn(theirs, seed, silhouettes)
        (found, _), _ = drawn(ours, seed, silhouettes, keypoints)
        assert np.array_equal(found, expected) and found.shape == (4, 64, 44)


def spot(point, width):
    """A frame with one soft spot, whose centre of mass is the point."""
    rows, columns = np.mgrid[:64, :width]
    return np.exp(-((columns - point[0]) ** 2 + (rows - point[1]) ** 2) / 8) * 255


def centre(frame):
    rows, columns = np.mgrid[: frame.shape[0], : frame.shape[1]]
    return np.array([(columns * frame).sum(), (rows * frame).sum()]) / frame.sum()


@pytest.mark.parametrize(
    "name, width", [*((name, width) for name in MOVING for width in (64, 44)), ("BaseSilCuttingTransform", 64)]
)
def test_joints_stay_on_their_body_points(name, width):
    """A spot drawn at each joint is found, after the transform, where the transform puts that joint."""
    node = {"type": name} if name == "BaseSilCuttingTransform" else {"type": name, "prob": 1.0}
    joint = build_joint_transform([node], "test")
    for seed in range(10):
        _, keypoints = sequence(width, frames=1, seed=seed)
        for index in (0, 5, 16):
            frame = spot(keypoints[0, index], width)[None]
            (warped, points), _ = drawn(joint, seed, frame, keypoints)
            renamed = FLIPPED_JOINTS[index] if name == "RandomHorizontalFlip" else index
            moved_by = np.abs(points[0, renamed, :2] - keypoints[0, index, :2]).max()
            assert np.abs(points[0, renamed, :2] - centre(warped[0])).max() < 0.35, (seed, index)
            assert points[0, renamed, 2] == keypoints[0, index, 2]
            assert moved_by > 1e-3 or name in ("RandomHorizontalFlip", "RandomRotate")


def test_points_go_through_the_very_matrix_of_the_image():
    """cv2.warpAffine sends pixel p to M p: a single bright pixel at a whole destination is found there."""
    matrix = np.float64([[0, -1, 50], [1, 0, 3]])  # a quarter turn: whole pixels stay whole
    from opengait_ext.data.joint_transform.steps import moved

    frame = np.zeros((64, 64), np.uint8)
    frame[20, 30] = 255
    (row,), (column,) = np.nonzero(cv2.warpAffine(frame, matrix, (64, 64)))
    point = moved(np.float32([[[30, 20, 0.5]]]), matrix)
    assert np.allclose(point, [[[column, row, 0.5]]], atol=1e-5) and point.dtype == np.float32


def test_flip_swaps_left_and_right():
    """Twice is once back; the nose stays the nose, the left wrist becomes the right one."""
    silhouettes, keypoints = sequence(44)
    flip = build_joint_transform([{"type": "RandomHorizontalFlip", "prob": 1.0}], "test")
    mirrored, points = flip(silhouettes, keypoints)
    assert np.array_equal(mirrored, silhouettes[..., ::-1])
    assert np.allclose(points[:, 0, 0], 43 - keypoints[:, 0, 0])
    assert np.allclose(points[:, 9], keypoints[:, 10] * [-1, 1, 1] + [43, 0, 0])
    again = flip(mirrored, points)
    assert np.array_equal(again[0], silhouettes) and np.allclose(again[1], keypoints, atol=1e-4)


def test_one_draw_for_all_frames_and_the_input_kept():
    """All frames of a sequence move alike; erasing changes a copy, and leaves the joints."""
    silhouettes, keypoints = sequence()
    keypoints[:] = keypoints[:1]
    silhouettes[:] = silhouettes[:1]
    before = silhouettes.copy(), keypoints.copy()
    for name in (*MOVING, "RandomErasing"):
        random.seed(1)
        changed, points = build_joint_transform([{"type": name, "prob": 1.0}], "test")(silhouettes, keypoints)
        assert (changed == changed[:1]).all() and (points == points[:1]).all()
        assert not np.array_equal(changed, silhouettes)
        assert np.array_equal(silhouettes, before[0]) and np.array_equal(keypoints, before[1])
    assert np.array_equal(points, keypoints)


MISTAKES = {
    "step": ([{"type": "RandomRotat"}], "key.0.type: 'RandomRotat' is not one of .*did you mean 'RandomRotate'"),
    "argument": ([{"type": "RandomRotate", "degre": 3}], "key.0.degre: RandomRotate has no such argument.*'degree'"),
    "no type": ([{"prob": 3}], "key.0: .*expected a step such as"),
    "no step": (["RandomRotate"], "key.0: 'RandomRotate': expected a step such as"),
}


@pytest.mark.parametrize("config, message", MISTAKES.values(), ids=MISTAKES)
def test_mistakes(config, message):
    with pytest.raises(KpstraError, match=message):
        build_joint_transform(config, "key")


def test_wrong_data():
    """Unequal numbers of frames, other joints than COCO's, silhouettes too small."""
    silhouettes, keypoints = sequence()
    cases = (
        ("BaseSilTransform", silhouettes[:3], keypoints, "3 silhouettes with keypoints of 4 frames"),
        ("RandomHorizontalFlip", silhouettes, keypoints[:, :5], "COCO's 17 joints, not 5"),
        ("RandomPerspective", silhouettes[..., :40], keypoints, "at least 44 wide, got 40"),
        ("RandomAffine", silhouettes[:, :60], keypoints, "at least 64 high, got 60"),
    )
    for name, images, points, message in cases:
        node = {"type": name} if name == "BaseSilTransform" else {"type": name, "prob": 1.0}
        with pytest.raises(KpstraError, match=message):
            build_joint_transform([node], "key")(images, points)
    with pytest.raises(KpstraError, match="cutting 32 leaves nothing"):
        build_joint_transform([{"type": "BaseSilCuttingTransform", "cutting": 32}], "key")(silhouettes, keypoints)


def test_no_transform_is_the_identity():
    silhouettes, keypoints = sequence()
    same = build_joint_transform(None, "key")(silhouettes, keypoints)
    assert same[0] is silhouettes and same[1] is keypoints


def test_every_step_is_tested():
    """Against the host's of that name; those that are ours alone, below."""
    assert STEPS.keys() == {node["type"] for node in NODES} | {"RandomSimilarity", "DrawJoints"}


def test_a_similarity_stays_within_its_bounds():
    """Turn, size and shift of the frame's centre, seen on the joints, reach the bounds and do not pass them."""
    step = build_joint_transform(
        [{"type": "RandomSimilarity", "prob": 1, "degree": 10, "scale": 0.2, "shift": 0.05}], "x"
    )
    joints = np.float32([[[21.5, 31.5, 1], [31.5, 31.5, 1], *[[0, 0, 1]] * 15]])  # the centre, and 10 pixels beside it
    seen = []
    for seed in range(200):
        (_, points), _ = drawn(step, seed, np.zeros((1, 64, 44), np.uint8), joints)
        (x, y), aside = points[0, 0, :2] - [21.5, 31.5], points[0, 1, :2] - points[0, 0, :2]
        seen.append([x / 64, y / 64, np.degrees(np.arctan2(aside[1], aside[0])), np.log(np.hypot(*aside) / 10)])
    bounds = np.array([0.05, 0.05, 10, 0.2])
    assert (np.abs(seen) <= bounds * 1.001).all()
    assert (np.max(seen, 0) > 0.9 * bounds).all() and (np.min(seen, 0) < -0.9 * bounds).all()


@pytest.mark.parametrize("dtype, white", [(np.uint8, 255), (np.float64, 1.0)])
def test_a_skeleton_is_drawn_into_the_silhouettes(dtype, white):
    """Grey along a limb, on body and background alike; nothing else changes; joints of score 0 have no limbs."""
    silhouettes = np.zeros((2, 64, 44), dtype)
    silhouettes[:, 32:] = white
    keypoints = np.zeros((2, 17, 3), np.float32)
    keypoints[:, 11], keypoints[:, 13] = (20, 10, 1), (20, 50, 0.4)  # left hip and knee, straight down
    keypoints[1, 13, 2] = 0
    kept = silhouettes.copy()
    found, joints = build_joint_transform([{"type": "DrawJoints"}], "x")(silhouettes, keypoints)
    assert found.dtype == dtype and (np.abs(found[0, 12:49, 20] / white - 0.5) < 0.06).all()
    beside = np.ones((64, 44), bool)
    beside[8:53, 18:23] = False
    assert np.array_equal(found[0][beside], kept[0][beside]) and np.array_equal(found[1], kept[1])
    assert np.array_equal(silhouettes, kept) and joints is keypoints


def test_a_skeleton_of_other_joints_is_refused():
    draw = build_joint_transform([{"type": "DrawJoints"}], "x")
    with pytest.raises(KpstraError, match="DrawJoints knows COCO's 17 joints, not 5"):
        draw(np.zeros((1, 64, 44)), np.ones((1, 5, 3), np.float32))
