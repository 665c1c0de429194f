"""Colour crops of the walkers, for re-identification: people share clothes, and light and background change."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...errors import KpstraError
from .identity import Identity
from .render import SHIFT, figure, fixed_point
from .sequence import Sequence

CLOTH = ((40, 42, 48), (225, 225, 220), (150, 35, 40), (45, 70, 130), (70, 105, 65), (185, 155, 105))
TROUSERS = ((35, 36, 42), (50, 62, 95), (120, 110, 90), (150, 150, 152))
SKIN = ((236, 198, 170), (198, 148, 112), (120, 80, 58))
HAIR = ((28, 24, 22), (95, 62, 38), (190, 160, 105), (150, 150, 150))
SHOES = ((30, 28, 28), (210, 210, 210))


@dataclass(frozen=True)
class Outfit:
    """What an identity wears; RGB, 0 to 255. There are few colours, so that many identities share theirs."""

    upper: tuple[int, int, int]
    lower: tuple[int, int, int]
    skin: tuple[int, int, int]
    hair: tuple[int, int, int]
    shoes: tuple[int, int, int]
    bag: tuple[int, int, int]
    sleeves: bool  # long
    trousers: bool  # long

    @classmethod
    def sample(cls, seed: int) -> Outfit:
        """Draw an outfit; the same seed gives the same one."""
        rng = np.random.default_rng([seed, 6])
        pick = [palette[rng.integers(len(palette))] for palette in (CLOTH, TROUSERS, SKIN, HAIR, SHOES, CLOTH)]
        return cls(*pick, sleeves=bool(rng.random() < 0.6), trousers=bool(rng.random() < 0.8))

    def colour(self, part: str) -> tuple[int, int, int]:
        """The colour of a body part."""
        if part == "sleeve":
            return self.upper if self.sleeves else self.skin
        if part == "calf":
            return self.lower if self.trousers else self.skin
        return getattr(self, part)


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
    parts, joints = figure(identity, sequence, frames, size)
    depth = np.stack([part.depth for part in parts])  # P, T
    far = (depth - depth.mean(0)).clip(-0.3, 0.1)  # what is farther is darker
    polygons = [fixed_point(part.polygon) for part in parts]
    rng = np.random.default_rng([sequence.seed, 9])
    crops = np.empty((frames, *size, 3), np.uint8)
    fall = np.linspace(1.06, 0.92, size[0], dtype=np.float32)[:, None, None]  # light comes from above
    for t in range(frames):
        picture = _background(scene.background, rng.integers(1000), size)
        for index in np.argsort(depth[:, t], kind="stable"):
            shade = 1 + 0.8 * far[index, t]
            colour = tuple(shade * c for c in outfit.colour(parts[index].colour))
            cv2.fillConvexPoly(picture, polygons[index][t], colour, cv2.LINE_AA, SHIFT)
        light = picture * np.float32(scene.brightness) * np.array(scene.tint, np.float32) * fall
        if scene.blur > 0.2:
            light = cv2.GaussianBlur(light, (0, 0), scene.blur)
        light += scene.grain * rng.standard_normal(light.shape, np.float32)
        crops[t] = light.round().clip(0, 255)
    return crops, joints.astype(np.float32)


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
