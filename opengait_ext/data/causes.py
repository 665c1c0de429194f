"""Why joints miss the people, or stand on their heads: each usual mistake is undone on a sample, until one fits."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from plugins.keypoints.joints import JOINT_SETS

from .body import LOW, WELL, count_body, shares, surest

Frame = tuple[np.ndarray, np.ndarray]  # silhouette (H, W) uint8; joints (17, 3): x, y in its pixels, score
Undo = Callable[[np.ndarray, np.ndarray], np.ndarray]

FAR = 0.2  # of the image's height: joints that must be moved so far are not only inexact
SEEN = 0.25  # least share of the frames in which a mistake's undoing must show an upright body
HUMAN36M = [9, 9, 9, 10, 10, 11, 14, 12, 15, 13, 16, 4, 1, 5, 2, 6, 3]  # where COCO's joints, or nearly they, are found
OPENPOSE = [joint - (joint > 1) for joint in JOINT_SETS[18].coco17]  # without the neck, joint 1


def _fractions(image: np.ndarray, joints: np.ndarray) -> np.ndarray:
    height, width = image.shape
    return joints * [width, height, 1] - [0.5, 0.5, 0]


def _fitted(image: np.ndarray, joints: np.ndarray) -> np.ndarray:
    """Joints scaled and moved so that their box is the silhouette's, but for the head's and the feet's ends."""
    return _centred(image, joints, scaled=True)


def _swapped(image: np.ndarray, joints: np.ndarray) -> np.ndarray:
    """x and y exchanged; moved to the silhouette's middle, in case it was cut out after they had been exchanged."""
    return _centred(image, joints[:, [1, 0, 2]])


def _centred(image: np.ndarray, joints: np.ndarray, scaled: bool = False) -> np.ndarray:
    sure = surest(joints)
    if not sure.any() or not image.any():
        return joints
    rows, columns = image.any(1).nonzero()[0], image.any(0).nonzero()[0]
    low, high = joints[sure, :2].min(0), joints[sure, :2].max(0)
    middle = np.array([columns[0] + columns[-1], rows[0] + rows[-1]]) / 2
    factor = 0.9 * len(rows) / max(high[1] - low[1], 1e-6) if scaled else 1.0
    return np.concatenate([(joints[:, :2] - (low + high) / 2) * factor + middle, joints[:, 2:]], 1)


CAUSES: dict[str, Undo] = {
    "they seem to be shares of the image, from 0 to 1; multiply by its width and height": _fractions,
    "x and y seem to be swapped": _swapped,
    "y seems to grow upwards": lambda image, joints: joints * [1, -1, 1] + [0, len(image) - 1, 0],
    "scores seem to come before x and y": lambda image, joints: joints[:, [1, 2, 0]],
    "their order seems to be reversed": lambda image, joints: joints[::-1],
    "they seem to be another joint set, Human3.6M's 17; COCO's 17 are needed": lambda _, joints: joints[HUMAN36M],
    "they seem to be another joint set, OpenPose's 18 without the neck; COCO's 17 are needed": (
        lambda _, joints: joints[OPENPOSE]
    ),
    "columns seem to be cut off the silhouettes and not off the joints": (
        lambda image, joints: joints - [(len(image) - image.shape[1]) / 2, 0, 0]
    ),
}
OTHER_FRAME = "poses and silhouettes seem to be in different pixel frames (another crop or size, the whole video frame)"
NO_SCORES = "they seem to be of a pose network that gives no scores: write 1 as the score of every joint it found"
CHECK = "check that they are COCO's 17 joints, in pixels of the very silhouette images and of the same release"


class Cause(NamedTuple):
    """The end of a sentence, beginning with ``;``, and whether it is a mistake that was found by undoing it."""

    what: str = ""
    found: bool = False


def _unmoved(image: np.ndarray, joints: np.ndarray) -> np.ndarray:
    return joints


def likely_cause(frames: Sequence[Frame], then: Undo = _unmoved) -> Cause:
    """Return what to say about joints that lie wrong: the mistake that, undone, mends them best.

    Args:
        frames: a sample of at least some dozen frames.
        then: where joints go after a mistake is undone, if that is not where they are.

    Returns:
        The cause; nothing if the joints lie right.
    """

    def counted(undo: Undo) -> Counter:
        counts: Counter = Counter()
        for image, joints in frames:
            count_body(image[None], then(image, undo(image, joints))[None], counts)
        return counts

    def wrong(undo: Undo) -> float:
        counts = counted(undo)
        found = [shares(counts, kind) for kind in ("", LOW)]
        seen = counts["frames upright"] + counts[f"{LOW}frames upright"] >= SEEN * len(frames)
        return 4 - np.sum(found) if seen and np.min(found) >= WELL else math.inf

    if frames and not any((joints[:, 2] > 0).any() for _, joints in frames):
        return Cause(f"; {NO_SCORES}", True)
    as_it_is = counted(_unmoved)
    joints = as_it_is["joints confident"] + as_it_is[f"{LOW}joints confident"]
    if not frames or (joints and min(*shares(as_it_is), *shares(as_it_is, LOW)) >= WELL):
        return Cause()
    least, cause = min((wrong(undo), cause) for cause, undo in CAUSES.items())
    if math.isfinite(least):
        return Cause(f"; {cause}", True)
    if math.isinf(wrong(_fitted)):
        return Cause(f"; {CHECK}")
    return Cause(f"; {OTHER_FRAME}", bool(np.median([_step(*frame) for frame in frames]) > FAR))


def _step(image: np.ndarray, joints: np.ndarray) -> float:
    """How far :func:`_fitted` moves the joints, in heights of the image."""
    return float(np.linalg.norm((_fitted(image, joints) - joints)[:, :2], axis=1).mean() / len(image))
