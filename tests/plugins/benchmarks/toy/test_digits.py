"""The toy's digits: where they come from, their minimum boxes, and keypoints that stay on the pixels they name."""

import numpy as np
import pytest
import torch

from plugins.benchmarks.toy.affine import CANVAS, Motion, place
from plugins.benchmarks.toy.digits import Digits, from_mnist, from_npz, from_sklearn, with_boxes
from plugins.benchmarks.toy.protocol import TESTS, TRAINING
from plugins.errors import KpstraError


def rectangle(top, left, height, width) -> Digits:
    images = torch.zeros(1, 28, 28)
    images[0, top : top + height, left : left + width] = 1
    return with_boxes(images, torch.zeros(1, dtype=torch.long))


def test_the_minimum_box_of_a_rectangle():
    corners = rectangle(3, 5, 10, 6).corners[0] + 14
    assert corners.tolist() == [[5, 3], [11, 3], [5, 13], [11, 13], [8, 8]]


def test_an_image_without_a_digit_is_named():
    images = torch.ones(3, 28, 28)
    images[1] = 0.1
    with pytest.raises(KpstraError, match="image 1 is empty"):
        with_boxes(images, torch.zeros(3, dtype=torch.long))


def test_a_shift_alone_copies_the_pixels():
    digits = Digits(torch.rand(1, 28, 28), torch.zeros(1), torch.zeros(1, 5, 2))
    canvas, points = place(digits, torch.eye(2)[None], torch.tensor([[4.0, -6.0]]))
    expected = torch.zeros(CANVAS, CANVAS)
    expected[0:28, 10:38] = digits.images[0]
    torch.testing.assert_close(canvas[0, 0], expected, atol=1e-5, rtol=0)
    torch.testing.assert_close(points[0, 0] * CANVAS, torch.tensor([24.0, 14.0]))


@pytest.mark.parametrize("motion", [test.motion for test in TESTS.values()], ids=list(TESTS))
def test_keypoints_go_where_the_pixels_go(motion):
    digits = rectangle(6, 9, 14, 8)
    many = Digits(*(part.expand(50, *part.shape[1:]) for part in digits))
    canvases, points = place(many, *motion.draw(50, torch.Generator().manual_seed(0)))
    inside = ((points >= 0) & (points <= 1)).flatten(1).all(dim=1)
    assert inside.sum() >= 15
    pixels = (torch.arange(CANVAS) + 0.5) / CANVAS
    for canvas, corners in zip(canvases[inside, 0], points[inside], strict=True):
        # the box's pixels are those between its edges, transformed: the corners span a parallelogram
        origin, across, down = corners[0], corners[1] - corners[0], corners[2] - corners[0]
        y, x = torch.meshgrid(pixels, pixels, indexing="ij")
        u = torch.linalg.solve(torch.stack((across, down), dim=1), (torch.stack((x, y), -1) - origin).reshape(-1, 2).T)
        distance = torch.minimum(u, 1 - u).min(dim=0).values.reshape(CANVAS, CANVAS)  # below 0 is outside
        assert (canvas[distance > 0.15] > 0.95).all()
        assert (canvas[distance < -0.25] < 0.05).all()
        torch.testing.assert_close(corners[4], (corners[0] + corners[3]) / 2)


@pytest.mark.parametrize("motion", [*TRAINING.values(), *(test.motion for test in TESTS.values())])
def test_motions_stay_within_their_bounds_and_reach_them(motion):
    matrices, shifts = motion.draw(3000, torch.Generator().manual_seed(0))
    farthest = shifts.abs().max(dim=1).values
    assert farthest.min() >= motion.shift[0] and farthest.max() == motion.shift[1]
    angles = torch.rad2deg(torch.atan2(matrices[:, 1, 0], matrices[:, 0, 0])).abs()
    assert angles.min() >= motion.rotation[0] - 1e-3 and angles.max() <= motion.rotation[1] + 1e-3
    assert angles.max() >= 0.95 * motion.rotation[1]
    widths = matrices[:, :, 0].norm(dim=1)
    assert widths.min() >= motion.scale[0] - 1e-5 and widths.max() <= motion.scale[1] + 1e-5


def test_sklearns_digits():
    source = from_sklearn()
    assert (len(source.train.labels), len(source.test.labels)) == (1437, 360)
    assert source.train.images.shape[1:] == (28, 28)
    assert source.test.labels.unique().tolist() == list(range(10))
    assert source.fingerprint() == from_sklearn().fingerprint()


def test_a_file_of_arrays(tmp_path):
    images = np.random.default_rng(0).integers(100, 256, (25, 28, 28), np.uint8)
    np.savez(tmp_path / "d.npz", images=images, labels=np.arange(25) % 10)
    source = from_npz(tmp_path / "d.npz")
    assert (len(source.train.labels), len(source.test.labels)) == (20, 5)
    both = torch.cat((source.train.images, source.test.images))
    assert sorted(both.sum((1, 2)).tolist()) == pytest.approx(sorted((images / 255).sum((1, 2)).tolist()), rel=1e-5)


WRONG = {
    "images: uint8": {"images": np.ones((20, 8, 8), np.uint8), "labels": np.zeros(20, int)},
    "images: float": {"images": np.ones((20, 28, 28)), "labels": np.zeros(20, int)},
    "labels: int": {"images": np.ones((20, 28, 28), np.uint8), "labels": np.zeros(19, int)},
    "whole numbers 0 to 9": {"images": np.ones((20, 28, 28), np.uint8), "labels": np.full(20, 10)},
    "3 images": {"images": np.ones((3, 28, 28), np.uint8), "labels": np.zeros(3, int)},
    "expected the arrays images and labels": {"pixels": np.ones(3)},
}


@pytest.mark.parametrize("message", WRONG)
def test_wrong_files_are_refused_by_name(tmp_path, message):
    np.savez(tmp_path / "d.npz", **WRONG[message])
    with pytest.raises(KpstraError, match=rf"d\.npz.*{message}"):
        from_npz(tmp_path / "d.npz")


def test_damaged_files_are_named(tmp_path):
    path = tmp_path / "d.npz"
    np.savez(path, images=np.ones((20, 28, 28), np.uint8), labels=np.zeros(20, int))
    whole = path.read_bytes()
    changed = bytearray(whole)
    changed[len(whole) // 3] ^= 1
    for content in (b"", b"hello", whole[: len(whole) // 2], bytes(changed)):
        path.write_bytes(content)
        with pytest.raises(KpstraError, match=r"^--npz .*d\.npz: cannot be read .*; expected the arrays") as caught:
            from_npz(path)
        assert "\n" not in str(caught.value)
    np.save(tmp_path / "d.npy", np.ones(3))
    with pytest.raises(KpstraError, match=r"d\.npy: cannot be read"):
        from_npz(tmp_path / "d.npy")


@pytest.mark.parametrize("content", [b"", b"hello there", b"\0\0\x08\x03", b"\0\0\x08\x03\0\0\0\x02\0\0\0\x1c"])
def test_damaged_files_of_mnist_are_named(tmp_path, content):
    raw = tmp_path / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for part in ("train", "t10k"):
        for kind in ("images-idx3", "labels-idx1"):
            (raw / f"{part}-{kind}-ubyte").write_bytes(content)
    with pytest.raises(KpstraError, match=r"expected .*MNIST/raw"):
        from_mnist(tmp_path)


def test_missing_files_are_named(tmp_path):
    with pytest.raises(KpstraError, match=r"nothing\.npz: cannot be read"):
        from_npz(tmp_path / "nothing.npz")
    with pytest.raises(KpstraError, match=r"expected .*MNIST/raw"):
        from_mnist(tmp_path)


def test_a_motion_of_nothing_leaves_the_digit_in_the_middle():
    matrices, shifts = Motion().draw(4, torch.Generator())
    torch.testing.assert_close(matrices, torch.eye(2).expand(4, 2, 2))
    assert not shifts.any()
