"""The affine augmentation: what is drawn, where pixels and keypoints go, and that a data manager trains with it."""

import math

import numpy as np
import pytest
import torch
from marked_images import centre, marked
from PIL import Image
from torchvision import transforms as T
from torchvision.transforms import functional

from plugins.errors import KpstraError
from reid_ext.data.affine import RandomAffine, add_affine
from reid_ext.data.manager import build_datamanager
from reid_ext.data.placement import TrackedTransform
from reid_ext.settings.load import load_config


def draws(number, **settings):
    torch.manual_seed(0)
    step = RandomAffine(**settings)
    return [step.get_params(step.degrees, None, step.scale, None, [60, 40]) for _ in range(number)]


def test_draws_are_those_of_the_papers_augmentation():
    angles, shifts, sizes, shears = zip(*draws(2000), strict=True)
    sizes, shares = np.array(sizes), np.array(shifts) / [30, 20]
    assert sizes.min() < 0.81 and sizes.max() > 1.19 and sizes.min() >= 0.8 and sizes.max() <= 1.2
    turned = np.array(angles) != 0
    assert 0.17 < turned.mean() < 0.23 and 19 < np.abs(angles).max() <= 20
    reach = np.abs(1 - sizes + 0.1 * sizes)[:, None]
    assert (np.abs(shares) <= reach + 1e-12).all() and (np.abs(shares) > 0.98 * reach).any(0).all()
    assert 0.45 < (shares > 0).mean() < 0.55 and set(shears) == {(0.0, 0.0)}


def test_pixels_move_as_the_formula_says():
    """A pixel of the result is the image's at R^-1 (p - c - t) / s + c: a loop over both, nearest pixels."""
    pixels = np.random.default_rng(0).integers(0, 256, (9, 12), dtype=np.uint8)
    step = RandomAffine(turn_prob=1.0)
    step.interpolation = T.InterpolationMode.NEAREST
    for seed in range(4):
        torch.manual_seed(seed)
        angle, shift, size, _ = step.get_params(step.degrees, None, step.scale, None, [12, 9])
        torch.manual_seed(seed)
        found = np.asarray(step(Image.fromarray(pixels)))
        cos, sin = math.cos(math.radians(angle)), math.sin(math.radians(angle))
        same = 0
        for row in range(9):
            for column in range(12):
                x, y = column + 0.5 - 6 - shift[0], row + 0.5 - 4.5 - shift[1]
                x, y = (cos * x + sin * y) / size + 6, (-sin * x + cos * y) / size + 4.5
                inside = 0 <= x < 12 and 0 <= y < 9
                same += found[row, column] == (pixels[int(y), int(x)] if inside else 0)
        assert same >= 106  # of 108; ties of rounding


def test_landmarks_stay_on_the_image():
    transform = TrackedTransform(T.Compose([RandomAffine(turn_prob=0.7, shift=0.3), T.ToTensor()]))
    furthest = 0.0
    for seed in range(40):
        chance = np.random.default_rng(seed)
        points = np.zeros((5, 3), np.float32)
        points[seed % 5] = *(chance.uniform(0.4, 0.6, 2) * [64, 128]), 0.5
        torch.manual_seed(seed)
        moved_image = transform(marked(*points[seed % 5, :2]))
        moved = transform.places[-1].move(points)
        np.testing.assert_allclose(moved[seed % 5, :2], centre(moved_image), atol=0.15)
        assert moved[seed % 5, 2] == 0.5 and not np.delete(moved, seed % 5, 0).any()
        furthest = max(furthest, np.abs(moved[seed % 5, :2] - points[seed % 5, :2]).max())
    assert furthest > 10


def test_it_is_torchvisions_map():
    """The step only draws: torchvision's function with the same numbers gives the same image."""
    image = marked(20, 30)
    torch.manual_seed(0)
    step = RandomAffine()
    expected = functional.affine(
        image, *step.get_params(step.degrees, None, step.scale, None, [64, 128]), T.InterpolationMode.BILINEAR, 0
    )
    torch.manual_seed(0)
    assert np.array_equal(np.asarray(step(image)), np.asarray(expected))
    assert not np.array_equal(np.asarray(expected), np.asarray(image))


def test_a_data_manager_trains_with_it_and_tests_without(market_root):
    given = ["data.height", "64", "data.width", "32", "data.workers", "0", "train.batch_size", "8", "use_gpu", "False"]
    keypoints = ["data.keypoints", str(market_root / "market_keypoints.json")]
    given += ["data.affine.scale", "[0.5, 0.5]", "data.transforms", "['random_flip', 'random_affine']"]
    manager = build_datamanager(load_config("", [*given, *keypoints], root=str(market_root)))
    steps = manager.train_loader.dataset.transform.steps
    assert [type(step).__name__ for step in steps[:3]] == ["Resize", "RandomAffine", "RandomHorizontalFlip"]
    assert steps[1].scale == (0.5, 0.5)
    batch = next(iter(manager.train_loader))
    black = batch["img"].amin((2, 3))
    torch.testing.assert_close(black, torch.tensor([-0.485 / 0.229, -0.456 / 0.224, -0.406 / 0.225]).expand(8, 3))
    spread = batch["keypoints"][..., 1].amax(1) - batch["keypoints"][..., 1].amin(1)
    assert 0 < spread.max() < 33  # of joints over the whole height of 64 pixels
    tested = manager.test_loader["market1501"]["query"].dataset.transform.steps
    assert "RandomAffine" not in [type(step).__name__ for step in tested]


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("scale", "[1.2, 0.8]", "two numbers, the smaller one first"),
        ("scale", "[1.0]", "two numbers, the smaller one first"),
        ("scale", "[0, 1]", "more than 0"),
        ("turn_prob", "1.5", "0 to 1"),
        ("degrees", "-3", "0 or more"),
        ("degrees", "4000", "at most 180"),
        ("scale", "[30, 40]", "at most 2"),
        ("angle", "3", "unknown key"),
    ],
)
def test_settings_that_cannot_be_are_refused(key, value, words):
    with pytest.raises(KpstraError, match=words):
        load_config(opts=[f"data.affine.{key}", value])


def test_settings_of_a_step_that_is_not_taken_are_refused():
    with pytest.raises(KpstraError, match=r"data\.affine\.degrees: has no effect: random_affine is not among"):
        load_config(opts=["data.affine.degrees", "30"])
    assert load_config(opts=["data.affine.degrees", "30"], transforms=["random_affine"]).data.affine.degrees == 30


def test_add_affine_needs_no_data():
    class Manager:
        transform_tr = T.Compose([T.Resize(8), T.ToTensor()])

    add_affine(Manager, RandomAffine())
    assert [type(step).__name__ for step in Manager.transform_tr.transforms] == ["Resize", "RandomAffine", "ToTensor"]
