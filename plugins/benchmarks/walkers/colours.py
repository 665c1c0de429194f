"""Colour crops of the walkers, for re-identification: people share clothes, and light and background change."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...errors import KpstraError
from .identity import Identity
from .outfit import Outfit
from .render import figure
from .sequence import Sequence


@dataclass(frozen=True)
class Scene:
    """Light, background and camera of crops."""

    background: int = 0  # its seed: one of a place
    brightness: float = 1.0
    tint: tuple[float, float, float] = (1.0, 1.0, 1.0)  # factors on R, G, B
    blur: float = 0.0  # pixels
    grain: float = 4.0  # standard deviation of the noise, of 255

    @classmethod
    def sample(cls, seed: int, place: int, strength: float = 1.0) -> Scene:
        """Draw a crop's scene at a place: places differ in background and tint, crops at one place in brightness."""
        local, rng = np.random.default_rng([place, 7]), np.random.default_rng([seed, 8])
        return cls(
            background=place,
            brightness=float(np.exp(strength * (local.normal(0, 0.12) + rng.normal(0, 0.12)))),
            tint=tuple(float(v) for v in np.exp(strength * local.normal(0, 0.08, 3))),
            blur=float(strength * rng.uniform(0, 0.9)),
            grain=float(4 + 4 * strength * rng.random()),
        )


def render_colours(
    identity: Identity,
    outfit: Outfit,
    sequence: Sequence,
    scene: Scene,
    frames: int = 1,
    size: tuple[int, int] = (128, 64),
) -> tuple[np.ndarray, np.ndarray]:
    """Draw crops of a walk in colours.

    Args:
        frames: T, 25 a second.
        size: height and width of a crop in pixels.

    Returns:
        crops (T, H, W, 3) uint8 RGB, and keypoints (T, 17, 3) float32 as :func:`.render.render` gives them.

    Raises:
        KpstraError: no frames, or crops of less than 16 pixels.
    """
    import cv2

    if scene.brightness <= 0 or scene.grain < 0 or scene.blur < 0:
        raise KpstraError(f"walkers: {scene}: expected a positive brightness and no negative blur or grain")
    body = figure(identity, sequence, frames, size)
    rng = np.random.default_rng([sequence.seed, 9])
    crops = np.empty((frames, *size, 3), np.uint8)
    fall = np.linspace(1.06, 0.92, size[0], dtype=np.float32)[:, None, None]  # light comes from above
    for t in range(frames):
        picture = _background(scene.background, rng.integers(1000), size)
        body.shape.paint(picture, t, outfit)
        light = picture * np.float32(scene.brightness) * np.array(scene.tint, np.float32) * fall
        if scene.blur > 0.2:
            light = cv2.GaussianBlur(light, (0, 0), scene.blur)
        light += scene.grain * rng.standard_normal(light.shape, np.float32)
        crops[t] = light.round().clip(0, 255)
    return crops, body.found.astype(np.float32)


def _background(place: int, moment: int, size: tuple[int, int]) -> np.ndarray:
    """Return a wall, a floor and a few things of a place, (H, W, 3) uint8; the moment shifts them sideways."""
    import cv2

    height, width = size
    rng = np.random.default_rng([place, 10])
    wall, floor = (rng.uniform(*shades) + rng.normal(0, 12, 3) for shades in ((100, 200), (70, 170)))
    picture = np.empty((height, width, 3), np.uint8)
    horizon = int(height * rng.uniform(0.45, 0.8))
    picture[:horizon], picture[horizon:] = wall, floor
    for _ in range(5):
        x = int(rng.uniform(-width, 2 * width) + moment % width - width // 2)
        y, w, h = int(rng.uniform(0, height)), int(rng.uniform(4, width / 2)), int(rng.uniform(6, height / 2))
        cv2.rectangle(picture, (x, y), (x + w, y + h), tuple(rng.uniform(50, 200) + rng.normal(0, 25, 3)), -1)
    return picture
