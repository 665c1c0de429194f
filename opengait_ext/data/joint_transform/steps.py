"""The steps of a joint transform. Pixels are OpenCV's: whole numbers are pixel centres."""

from __future__ import annotations

import math
import random

import cv2
import numpy as np

from plugins.errors import KpstraError
from plugins.keypoints.joints import FLIPPED_JOINTS
from plugins.pictures.overlay import LIMBS, SUBPIXEL

from .frames import warp_frames

Pair = tuple[np.ndarray, np.ndarray]
LEAST_WIDTH = 44  # of silhouettes for RandomPerspective


class BaseSilTransform:
    """Divide the silhouettes by ``divsor``."""

    keeps_values = False  # of pixels, or makes them 0: may come before a division as well as after it

    def __init__(self, divsor: float = 255.0) -> None:
        self.divsor = divsor

    def __call__(self, silhouettes: np.ndarray, keypoints: np.ndarray) -> Pair:
        """Silhouettes (s, H, W), keypoints (s, L, 3)."""
        silhouettes, keypoints = self.cut(silhouettes, keypoints)
        return silhouettes / self.divsor, keypoints

    def cut(self, silhouettes: np.ndarray, keypoints: np.ndarray) -> Pair:
        """What is done before the division."""
        return silhouettes, keypoints


class BaseSilCuttingTransform(BaseSilTransform):
    """Cut ``cutting`` columns off both sides (10 for each 64 of width if not given: 64 -> 44), then divide."""

    def __init__(self, divsor: float = 255.0, cutting: int | None = None) -> None:
        super().__init__(divsor)
        self.cutting = cutting

    def cut(self, silhouettes: np.ndarray, keypoints: np.ndarray) -> Pair:
        """(s, H, W) -> (s, H, W - 2 cutting); the keypoints move ``cutting`` to the left."""
        width = silhouettes.shape[-1]
        cutting = width // 64 * 10 if self.cutting is None else self.cutting
        if 2 * cutting >= width:
            raise KpstraError(f"joint_transform: cutting {cutting} leaves nothing of silhouettes {width} wide")
        return silhouettes[..., cutting : width - cutting], keypoints - np.float32([cutting, 0, 0])


class RandomStep:
    """A step taken with probability ``prob``."""

    keeps_values = False

    def __init__(self, prob: float = 0.5) -> None:
        self.prob = prob

    def __call__(self, silhouettes: np.ndarray, keypoints: np.ndarray) -> Pair:
        """Take the step on both, or return both as they are."""
        return self.take(silhouettes, keypoints) if self.drawn() else (silhouettes, keypoints)

    def drawn(self) -> bool:
        """Draw whether the step is taken."""
        return random.uniform(0, 1) < self.prob


class RandomHorizontalFlip(RandomStep):
    """Mirror; left and right joints change names."""

    keeps_values = True

    def take(self, silhouettes: np.ndarray, keypoints: np.ndarray) -> Pair:
        """x -> W - 1 - x."""
        if keypoints.shape[1] != len(FLIPPED_JOINTS):
            raise KpstraError(f"joint_transform: RandomHorizontalFlip knows COCO's 17 joints, not {keypoints.shape[1]}")
        mirrored = keypoints[:, FLIPPED_JOINTS] * np.float32([-1, 1, 1]) + np.float32([silhouettes.shape[-1] - 1, 0, 0])
        return silhouettes[..., ::-1], mirrored


class RandomWarp(RandomStep):
    """A projective map of the plane, given by :meth:`matrix`, applied to every frame."""

    def take(self, silhouettes: np.ndarray, keypoints: np.ndarray) -> Pair:
        """Warp the frames by M and send every joint through M."""
        matrix = self.matrix(*silhouettes.shape[-2:])
        return warp_frames(silhouettes, matrix), moved(keypoints, matrix)


class RandomRotate(RandomWarp):
    """Rotate by up to ``degree``, about OpenGait's centre (x = H // 2, y = W // 2)."""

    def __init__(self, prob: float = 0.5, degree: float = 10) -> None:
        super().__init__(prob)
        self.degree = degree

    def matrix(self, height: int, width: int) -> np.ndarray:
        """Draw the rotation, (2, 3)."""
        return cv2.getRotationMatrix2D((height // 2, width // 2), random.uniform(-self.degree, self.degree), 1)


class RandomPerspective(RandomWarp):
    """Stretch a random quadrangle, narrower than the frame at both sides, to the frame."""

    def matrix(self, height: int, width: int) -> np.ndarray:
        """Draw the projection, (3, 3)."""
        margin = width // LEAST_WIDTH * 10
        if not margin:
            raise KpstraError(
                f"joint_transform: RandomPerspective needs silhouettes at least {LEAST_WIDTH} wide, got {width}"
            )
        left, right = range(margin), range(width - margin, width)
        top, bottom = ((random.choice(left), y, random.choice(right)) for y in (0, height))
        source = np.float32([top[:2], (top[2], 0), (bottom[2], height), bottom[:2]])
        return cv2.getPerspectiveTransform(source, np.float32([(0, 0), (width, 0), (width, height), (0, height)]))


class RandomAffine(RandomWarp):
    """Move three corners by up to 10 pixels for each 64 of height, before and after."""

    def matrix(self, height: int, width: int) -> np.ndarray:
        """Draw the affine map, (2, 3). OpenGait takes the height for x and the width for y here."""
        shifts = range(height // 64 * 10)
        if not shifts:
            raise KpstraError(f"joint_transform: RandomAffine needs silhouettes at least 64 high, got {height}")

        def corners() -> np.ndarray:
            a, b, c, d, e, f = (random.choice(shifts) for _ in range(6))
            return np.float32([(a, b), (height - c, d), (e, width - f)])

        return cv2.getAffineTransform(corners(), corners())


class RandomSimilarity(RandomWarp):
    """Turn by up to ``degree``, resize by up to ``scale`` (of the logarithm), shift by up to ``shift`` of the height.

    About the frame's centre; not one of OpenGait's transforms. These are the errors of a person's box that
    `opengait-ext robustness` tests: every one is drawn evenly from both sides of 0.
    """

    def __init__(self, prob: float = 0.5, degree: float = 24, scale: float = 0.15, shift: float = 0.08) -> None:
        super().__init__(prob)
        self.degree, self.scale, self.shift = degree, scale, shift

    def matrix(self, height: int, width: int) -> np.ndarray:
        """Draw the similarity, (2, 3)."""
        angle, log_size, *shift = (random.uniform(-m, m) for m in (self.degree, self.scale, self.shift, self.shift))
        matrix = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), angle, math.exp(log_size))
        matrix[:, 2] += height * np.array(shift)
        return matrix


class DrawJoints:
    """Draw the skeleton into the silhouettes, in grey of ``level``: what KP-RPE is given, given as pixels instead.

    Lines a pixel wide between COCO's joints; those of a joint with score 0 are left out. ``level`` is a share of
    white, which is 255 in silhouettes of whole numbers and 1 in those that are divided by 255 already.
    """

    keeps_values = False

    def __init__(self, level: float = 0.5) -> None:
        self.level = level

    def __call__(self, silhouettes: np.ndarray, keypoints: np.ndarray) -> Pair:
        """Silhouettes (s, H, W), keypoints (s, 17, 3)."""
        if keypoints.shape[1] != len(FLIPPED_JOINTS):
            raise KpstraError(f"joint_transform: DrawJoints knows COCO's 17 joints, not {keypoints.shape[1]}")
        grey = self.level * (255 if silhouettes.dtype == np.uint8 else 1)
        masks = np.stack([skeleton(joints, silhouettes.shape[1:]) for joints in keypoints])
        drawn = silhouettes + masks * (grey - silhouettes)
        return (drawn.round() if silhouettes.dtype == np.uint8 else drawn).astype(silhouettes.dtype), keypoints


class RandomErasing(RandomStep):
    """Blank a random rectangle of the silhouettes, the same in all frames or one for each; joints stay.

    ``sl``, ``sh``: least and greatest share of the area; ``r1``: least aspect ratio.
    """

    keeps_values = True

    def __init__(
        self, prob: float = 0.5, sl: float = 0.05, sh: float = 0.2, r1: float = 0.3, per_frame: bool = False
    ) -> None:
        super().__init__(prob)
        self.sl, self.sh, self.r1, self.per_frame = sl, sh, r1, per_frame

    def __call__(self, silhouettes: np.ndarray, keypoints: np.ndarray) -> Pair:
        """Erase with probability ``prob``, drawn anew for each frame with ``per_frame``."""
        if not self.per_frame:
            return super().__call__(silhouettes, keypoints)
        frames = [super(RandomErasing, self).__call__(frame[None], keypoints)[0] for frame in silhouettes]
        return np.concatenate(frames), keypoints

    def take(self, silhouettes: np.ndarray, keypoints: np.ndarray) -> Pair:
        """Draw a rectangle until one fits, at most 100 times."""
        height, width = silhouettes.shape[1:3]
        for _ in range(100):
            area = random.uniform(self.sl, self.sh) * height * width
            aspect = random.uniform(self.r1, 1 / self.r1)
            h, w = round(math.sqrt(area * aspect)), round(math.sqrt(area / aspect))
            if w < width and h < height:
                top, left = random.randint(0, height - h), random.randint(0, width - w)
                silhouettes = silhouettes.copy()
                silhouettes[:, top : top + h, left : left + w] = 0
                break
        return silhouettes, keypoints


def skeleton(joints: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Return lines between COCO's joints (17, 3) as a mask (H, W) of 0 to 1; joints of score 0 have none."""
    mask, sure = np.zeros(size, np.uint8), joints[:, 2] > 0
    limit = 4 * max(size)  # OpenCV's fixed-point coordinates end somewhere
    at = np.rint(np.where(sure[:, None], joints[:, :2], 0).clip(-limit, limit) * 2**SUBPIXEL).astype(int).tolist()
    for a, b in LIMBS:
        if sure[a] and sure[b]:
            cv2.line(mask, at[a], at[b], 255, 1, cv2.LINE_AA, SUBPIXEL)
    return mask / np.float32(255)


def moved(keypoints: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """Send (x, y) of (s, L, 3) keypoints through an affine (2, 3) or projective (3, 3) matrix; the score stays."""
    square = np.eye(3)
    square[: len(matrix)] = matrix
    points = cv2.perspectiveTransform(keypoints[..., :2].astype(np.float64).reshape(1, -1, 2), square)
    points = points.reshape(*keypoints.shape[:2], 2)
    return np.concatenate([points, keypoints[..., 2:]], axis=-1).astype(keypoints.dtype)


STEPS = {
    step.__name__: step
    for step in (
        BaseSilTransform,
        BaseSilCuttingTransform,
        RandomHorizontalFlip,
        RandomRotate,
        RandomPerspective,
        RandomAffine,
        RandomSimilarity,
        RandomErasing,
        DrawJoints,
    )
}
