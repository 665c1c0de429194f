"""Pictures side by side: order and colours stay, mistakes are told."""

import numpy as np
import pytest
from matplotlib.image import imread, imsave
from PIL import Image

from plugins.__main__ import main


@pytest.fixture
def pictures(tmp_path):
    """A red picture, and a blue one of twice the height and width."""
    for name, size, colour in (("red", 40, (1.0, 0.0, 0.0)), ("blue", 80, (0.0, 0.0, 1.0))):
        imsave(tmp_path / f"{name}.png", np.full((size, size, 3), colour))
    return tmp_path


def test_left_to_right_in_full_colour(pictures):
    files = [str(pictures / "red.png"), str(pictures / "blue.png")]
    assert main(["join", *files, "--titles", "a", "b", "--output", str(pictures / "both.png")]) == 0
    both = imread(pictures / "both.png")[..., :3]
    height, width = both.shape[:2]
    np.testing.assert_allclose(both[height * 3 // 5, width // 4], (1, 0, 0), atol=0.01)
    np.testing.assert_allclose(both[height * 3 // 5, width * 3 // 4], (0, 0, 1), atol=0.01)


def test_grey_stays_grey(pictures):
    imsave(pictures / "ramp.png", np.linspace(0.2, 0.6, 1600).reshape(40, 40), cmap="gray", vmin=0, vmax=1)
    Image.open(pictures / "ramp.png").convert("L").save(pictures / "ramp.png")
    assert main(["join", str(pictures / "ramp.png"), "--output", str(pictures / "one.png")]) == 0
    shown = imread(pictures / "one.png")[..., :3]
    np.testing.assert_array_equal(shown[..., 0], shown[..., 2])
    height, width = shown.shape[:2]
    assert shown[height * 3 // 5, width // 2, 0] == pytest.approx(0.42, abs=0.05)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["red.png", "--titles", "a", "b"], "--titles: 2 for 1 pictures"),
        (["none.png"], "none.png: cannot be read as a picture"),
        (["damaged.png"], "damaged.png: cannot be read as a picture"),
    ],
)
def test_mistakes(pictures, monkeypatch, capsys, words, said):
    monkeypatch.chdir(pictures)
    (pictures / "damaged.png").write_bytes((pictures / "red.png").read_bytes()[:60])
    assert main(["join", *words, "--output", "out.png"]) == 2
    assert said in capsys.readouterr().err and not (pictures / "out.png").exists()
