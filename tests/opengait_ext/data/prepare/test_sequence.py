"""Silhouettes as OpenGait makes them, and joints that follow them."""

import os
import sys
from collections import Counter
from pathlib import Path

import cv2
import numpy as np
import pytest

from opengait_ext.data.prepare.poses import fill_absent, place, read_pose
from opengait_ext.data.prepare.release import prepare_one
from opengait_ext.data.prepare.silhouettes import Dropped, align_silhouette, read_silhouette

RAW = Path(__file__).parents[3] / "data" / "pets-mini" / "gait_raw"
SILHOUETTES, POSES = RAW / "2D_Silhouettes", RAW / "2D_Poses"
SEQUENCES = sorted(str(p.relative_to(SILHOUETTES)) for p in SILHOUETTES.glob("*/*/*"))


def naive(image, size):
    """The pipeline's definition, column by column; None for a frame that it drops."""
    if int(image.astype(int).sum()) <= 10000:
        return None
    rows = [y for y in range(len(image)) if image[y].any()]
    image = image[rows[0] : rows[-1] + 1]
    width = int(size * (image.shape[1] / image.shape[0]))
    if width == 0:
        return None
    image = cv2.resize(image, (width, size), interpolation=cv2.INTER_CUBIC).astype(int)
    centre = next((x for x in range(width) if 2 * image[:, : x + 1].sum() > image.sum()), 0)
    if centre == 0:
        return None
    out = np.zeros((size, size), np.uint8)
    for x in range(size):
        source = centre - size // 2 + x
        if 0 <= source < width:
            out[:, x] = image[:, source]
    return out


def random_silhouette(random):
    height, width = random.integers(20, 300, 2)
    image = np.zeros((height, width), np.uint8)
    for _ in range(random.integers(1, 5)):
        centre = (int(random.integers(width)), int(random.integers(height)))
        axes = (int(random.integers(1, width // 2 + 2)), int(random.integers(1, height // 2 + 2)))
        cv2.ellipse(image, centre, axes, float(random.integers(180)), 0, 360, int(random.integers(1, 256)), -1)
    if random.random() < 0.3:
        image = (image * random.random(image.shape)).astype(np.uint8)
    return image


@pytest.mark.parametrize("size", [32, 64, 128])
def test_silhouettes_equal_the_naive_pipeline(size):
    random, kinds = np.random.default_rng(size), Counter()
    for _ in range(300):
        image, out = random_silhouette(random), np.full((size, size), 7, np.uint8)
        expected = naive(image, size)
        try:
            placement = align_silhouette(image, out)
        except Dropped:
            assert expected is None
            kinds["dropped"] += 1
            continue
        np.testing.assert_array_equal(out, expected)
        last = (image.shape[1] - 1) * placement.scale_x + placement.offset_x
        kinds["padded" if placement.offset_x > 1 or last < size - 2 else "cut"] += 1
    assert min(kinds[kind] for kind in ("dropped", "padded", "cut")) >= 5, kinds


def test_wide_and_slim_edge_cases_equal_the_naive_pipeline():
    slim = np.full((300, 3), 255, np.uint8)  # resized to no column at all at S = 64
    first_column = np.zeros((100, 60), np.uint8)
    first_column[:, 0] = 255
    for image in (slim, first_column):
        assert naive(image, 64) is None
        with pytest.raises(Dropped, match="no_centre"):
            align_silhouette(image, np.empty((64, 64), np.uint8))
    for offset in range(60):  # every way to stand at an edge, exact fits among them
        image = np.zeros((64, 100), np.uint8)
        image[:, offset : offset + 40] = 255
        out = np.empty((64, 64), np.uint8)
        align_silhouette(image, out)
        np.testing.assert_array_equal(out, naive(image, 64))


@pytest.mark.skipif("OPENGAIT_HOME" not in os.environ, reason="needs OPENGAIT_HOME, a checkout of OpenGait")
@pytest.mark.parametrize("size", [64, 128])
def test_files_equal_opengait(tmp_path, monkeypatch, size):
    monkeypatch.syspath_prepend(os.path.join(os.environ["OPENGAIT_HOME"], "datasets"))
    monkeypatch.delitem(sys.modules, "pretreatment", raising=False)
    from pretreatment import imgs2pickle

    for name in SEQUENCES:
        parts = tuple(name.split("/"))
        imgs2pickle((parts, sorted((SILHOUETTES / name).glob("*.png"))), tmp_path / "host", size)
        _, ours = prepare_one(SILHOUETTES, POSES, tmp_path / "ours", size, name)
        host = tmp_path / "host" / name / f"{parts[2]}.pkl"
        assert (ours / "0_sil.pkl").read_bytes() == host.read_bytes()


@pytest.mark.parametrize("margin", [0, 5, 90])  # 0 and 5: the image is narrower than the cut, and is padded
def test_a_mark_on_the_body_is_followed(margin):
    random = np.random.default_rng(margin)
    for _ in range(40):
        height, width = int(random.integers(80, 400)), int(random.integers(30, 90))
        image = np.zeros((height + 20, width + 2 * margin), np.uint8)
        image[7 : 7 + height, margin : margin + width] = 60
        x, y = margin + random.uniform(6, width - 6), 7 + random.uniform(10, height - 10)
        rows, columns = np.mgrid[: image.shape[0], : image.shape[1]]
        spot = np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / (2 * max(height / 64, 1) ** 2))
        marked = np.uint8(np.maximum(image, 255 * spot))
        out = np.empty((64, 64), np.uint8)
        placement = np.array(align_silhouette(marked, out))
        moved = place(np.full((1, 17, 3), (x, y, 1.0)), placement[None])[0, 0]
        weight = np.where(out > 90, out - 60.0, 0)
        rows, columns = np.mgrid[:64, :64]
        found = (weight * columns).sum() / weight.sum(), (weight * rows).sum() / weight.sum()
        if 2 < moved[0] < 61:  # else the mark itself is cut off
            np.testing.assert_allclose(moved[:2], found, atol=0.5)


def test_unreadable_silhouettes(tmp_path):
    data = next(SILHOUETTES.rglob("*.png")).read_bytes()
    for length in (0, 10, len(data) // 2, len(data) - 8):
        (tmp_path / "x.png").write_bytes(data[:length])
        with pytest.raises(Dropped, match="unreadable"):
            read_silhouette(tmp_path / "x.png")
    (tmp_path / "x.png").write_bytes(b"no image at all, but some bytes")
    with pytest.raises(Dropped, match="unreadable"):
        read_silhouette(tmp_path / "x.png")
    with pytest.raises(Dropped, match="unreadable"):
        read_silhouette(tmp_path / "absent.png")


NUMBERS = ["60", "107", *(f"{i}.5" for i in range(51))]


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        (",".join(NUMBERS), ""),
        (",".join(NUMBERS) + ",\n", ""),
        (" , ".join(NUMBERS), ""),
        (",".join(NUMBERS[:-1]), "broken"),
        (",".join([*NUMBERS, "1"]), "broken"),
        (",".join(["x", *NUMBERS[1:]]), "broken"),
        (",".join([*NUMBERS[:9], "nan", *NUMBERS[10:]]), "broken"),
        (",".join([*NUMBERS[:9], "inf", *NUMBERS[10:]]), "broken"),
        ("", "broken"),
        ("60,107," + ",".join(["0"] * 51), "all_zero"),
    ],
)
def test_pose_files(tmp_path, text, rule):
    (tmp_path / "x.txt").write_text(text)
    pose, found = read_pose(tmp_path / "x.txt")
    assert found == rule
    if not rule:
        np.testing.assert_array_equal(pose, np.arange(51).reshape(17, 3) + 0.5)
    assert read_pose(tmp_path / "absent.txt") == (None, "missing")


@pytest.mark.parametrize(
    ("lead", "expected"),
    [((40, 80), (2, 1)), ((80, 80), (1, 1)), ((80.0, 80.0), (1, 1)), ((0, 0), (1, 1)), ((-40, 80), (1, 1))],
)
def test_poses_of_a_crop_of_another_size_are_scaled(tmp_path, lead, expected):
    """The two leading numbers are width and height of the crop that the pose network saw; pixel centres move along."""
    joints = np.random.default_rng(0).uniform(0, 40, (17, 3))
    (tmp_path / "x.txt").write_text(",".join(map(repr, [*lead, *joints.ravel().tolist()])))
    pose, rule = read_pose(tmp_path / "x.txt", (80, 80))
    assert rule == ("scaled" if expected != (1, 1) else "")
    for axis, factor in enumerate(expected):
        np.testing.assert_allclose(pose[:, axis], [(value + 0.5) * factor - 0.5 for value in joints[:, axis]])
    np.testing.assert_array_equal(pose[:, 2], joints[:, 2])
    assert read_pose(tmp_path / "x.txt", (lead[1], lead[0]))[1] == ""  # height first


def test_absent_joints_are_filled_in():
    keypoints = np.random.default_rng(0).uniform(1, 60, (6, 17, 3))
    keypoints[[0, 2, 3, 5], 4, 2] = 0, -1, 0, 0  # present in frames 1 and 4
    keypoints[0, 5, 0], keypoints[1, 6, 1], keypoints[2, 8, 2] = np.nan, np.inf, np.nan
    keypoints[:, 7, 2] = 0  # never present
    keypoints[3, 9, 0] = 1e300  # finite, but not as float32
    filled, absent = fill_absent(keypoints, (64, 64))
    assert filled.dtype == np.float32 and filled.shape == (6, 17, 3) and np.isfinite(filled).all()
    assert absent == 4 + 3 + 6 + 1
    a, b = np.float32(keypoints[1, 4, :2]), np.float32(keypoints[4, 4, :2])
    expected = [a, a, a + (b - a) / 3, a + (b - a) * 2 / 3, b, b]
    np.testing.assert_allclose(filled[:, 4, :2], expected, rtol=1e-5)
    assert (filled[[0, 2, 3, 5], 4, 2] == 0).all() and (filled[[0, 1, 2], [5, 6, 8], 2] == 0).all()
    np.testing.assert_allclose(filled[:, 7, :2], np.delete(filled, 7, 1)[..., :2].mean(1), rtol=1e-5)
    kept = filled[..., 2] > 0
    np.testing.assert_array_equal(filled[kept], keypoints[kept].astype(np.float32))


def test_a_sequence_without_any_joint_gets_the_centre():
    filled, absent = fill_absent(np.zeros((3, 17, 3)), (64, 44))
    assert absent == 51
    np.testing.assert_array_equal(filled, np.broadcast_to([21.5, 31.5, 0], (3, 17, 3)))
