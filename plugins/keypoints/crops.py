"""Whether keypoints belong to the crops of people or faces that they are given for, and why not, where that shows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import numpy as np

from .joints import CONFIDENT, FIVE_POINTS, part_heights

WELL = 0.9  # shares below are told
FEWEST = 20  # images from which something is judged
TOP_HEAVY = 0.4  # of the crop's height: bodies that end above this, or are smaller, do not fill their crop
SCORE_LIMIT = 1.5  # heat maps exceed 1 a little
SCALES = {6.0: "AlphaPose's go up to 6", 100.0: "they seem to be in percent"}  # by the highest that there is


def joints_on_crops(keypoints: np.ndarray, sizes: np.ndarray) -> tuple[int, int]:
    """Return how many confident joints lie on their crop, and how many there are.

    Args:
        keypoints: (N, 17, 3) x, y in pixels, score; (N, 5, 3) of faces.
        sizes: (N, 2) height and width of each crop.
    """
    sure = keypoints[..., 2] >= CONFIDENT
    return int((sure & _on(keypoints, sizes)).sum()), int(sure.sum())


def _on(keypoints: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    extent = sizes[:, None, ::-1]
    return ((keypoints[..., :2] >= -0.5) & (keypoints[..., :2] <= extent - 0.5)).all(-1)


def warnings_of(keypoints: np.ndarray, sizes: np.ndarray) -> Iterator[str]:
    """Yield what is wrong with the keypoints of some crops, with the likely cause.

    Args:
        keypoints, sizes: as in :func:`joints_on_crops`; images without keypoints left out.
    """
    on, sure = joints_on_crops(keypoints, sizes)
    if not sure:
        yield f"no joint has a score of {CONFIDENT} or more"
        return
    if on < WELL * sure:
        yield f"{on / sure:.1%} of {sure} confident joints lie on their crop; {_cause(keypoints, sizes)}"
    elif len(keypoints) >= FEWEST and (lowest := _reach(keypoints, sizes)) < TOP_HEAVY:
        pixels = "in pixels of smaller images: give the size of the images that the pose network saw"
        cause = "shares of the image; pixels are expected" if keypoints[..., :2].max() <= 1 else pixels
        what = "faces" if keypoints.shape[1] == FIVE_POINTS else "bodies"
        yield f"{what} end at {lowest:.0%} of the crops' height; they seem to be {cause}"
    yield from (_exchanged if keypoints.shape[1] == FIVE_POINTS else _upside_down)(keypoints)
    if doubt := high_scores(keypoints[..., 2]):
        yield doubt
    most = max(Counter(joints.tobytes() for joints in keypoints).values())
    if most > max(1, (1 - WELL) * len(keypoints)):
        yield f"{most} of {len(keypoints)} crops have the same keypoints; they seem to be those of one other image"


def high_scores(scores: np.ndarray) -> str | None:
    """Return what is wrong with scores of which many lie above 1, and what becomes of them; ``None`` if few do.

    Args:
        scores: of any shape; 0 for absent joints, which are left out.
    """
    scores = scores[scores > 0]
    share = (scores > SCORE_LIMIT).mean() if scores.size else 0
    if share <= 1 - WELL:
        return None
    highest = scores.max()
    cause = next((cause for limit, cause in SCALES.items() if highest <= limit), "they are no confidences")
    return (
        f"{share:.0%} of the scores are above {SCORE_LIMIT}, up to {highest:.4g}: {cause}; scores above 1 count as 1, "
        "so joints of unequal scores get the same weight: bring the scores to [0, 1] first"
    )


def _cause(keypoints: np.ndarray, sizes: np.ndarray) -> str:
    def well(x: np.ndarray) -> bool:
        on, sure = joints_on_crops(x, sizes)
        return on >= WELL * sure

    if well(keypoints[..., [1, 0, 2]]):
        return "x and y seem to be swapped"
    factor = _reach(keypoints, sizes, 95)
    smaller = keypoints / (factor, factor, 1)
    if factor > 1 and well(smaller) and _tall(smaller, sizes):
        return f"they seem to be in pixels of images about {factor:.1f} times as large"
    return "they seem to be of other images, or in pixels of the whole frame"


def _reach(keypoints: np.ndarray, sizes: np.ndarray, percentile: float = 50) -> float:
    """How far bodies reach, in shares of the crop from its top left corner, downwards or (a percentile) in any way."""
    sure = (keypoints[..., 2] >= CONFIDENT).any(1)
    joints, sizes = keypoints[sure], sizes[sure]
    shares = np.where(joints[..., 2:] >= CONFIDENT, joints[..., :2] / sizes[:, None, ::-1], -np.inf).max(1)
    return float(np.percentile(shares.max(1) if percentile > 50 else shares[:, 1], percentile))


def _tall(keypoints: np.ndarray, sizes: np.ndarray) -> bool:
    """Whether bodies fill their crops: half of them at least :data:`TOP_HEAVY` of the height."""
    sure, y = keypoints[..., 2] >= CONFIDENT, keypoints[..., 1] / sizes[:, :1]
    heights = np.where(sure, y, -np.inf).max(1) - np.where(sure, y, np.inf).min(1)
    return bool(np.median(heights[sure.any(1)]) >= TOP_HEAVY)


def _upside_down(keypoints: np.ndarray) -> Iterator[str]:
    known, (head, hips, ankles) = part_heights(keypoints[..., 1], keypoints[..., 2] >= CONFIDENT)
    right = known & (head < hips) & (hips < ankles)
    if known.sum() >= FEWEST and right.sum() < WELL * known.sum():
        reverse = (known & (head > hips) & (hips > ankles)).sum() >= WELL * known.sum()
        upwards = "y seems to grow upwards, or the order of the joints is reversed"
        cause = upwards if reverse else "check that they are COCO's 17 joints, of these very images"
        yield f"heads are above hips above ankles in {right.sum() / known.sum():.1%} of {known.sum()} crops; {cause}"


def _exchanged(keypoints: np.ndarray) -> Iterator[str]:
    """Faces: the image's left eye and corner of the mouth come first, and eyes are above mouths."""
    known = (keypoints[..., 2] >= CONFIDENT).all(1)
    (left, right, _, corner, other), y = np.moveaxis(keypoints[..., 0], 1, 0), keypoints[..., 1]
    ordered, reverse = (left < right) & (corner < other), (left > right) & (corner > other)
    upright, upside_down = y[:, :2].max(1) < y[:, 3:].min(1), y[:, :2].min(1) > y[:, 3:].max(1)
    fits = known & ordered & upright
    if known.sum() >= FEWEST and fits.sum() < WELL * known.sum():
        cause = "check that they are left eye, right eye, nose, left and right corner of the mouth, of these images"
        if (known & reverse & upright).sum() >= WELL * known.sum():
            cause = "left and right seem to be the person's; give the image's left eye and corner of the mouth first"
        elif (known & upside_down).sum() >= WELL * known.sum():
            cause = "y seems to grow upwards, or the mouth comes first"
        share = fits.sum() / known.sum()
        yield f"eyes are above mouths and left points left in {share:.1%} of {known.sum()} faces; {cause}"
