"""Whether keypoints belong to the people in the silhouettes: on the body, upright, left and right where they should be.

:func:`count_body` adds what it sees in a sequence to a counter, so that a data set's counts can be kept and summed;
:func:`judge` says what is wrong with the sums. Both know COCO's 17 joints only.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple, TypeVar

import cv2
import numpy as np

from plugins.keypoints.joints import CONFIDENT, FACE, SHOULDERS, part_heights

NEAR = 3 / 64  # of the image's height: how far beside the silhouette a joint may lie and still be on the person
APART = 2 / 64  # of the image's height: the least distance in x at which left and right can be told apart
UPRIGHT = 0.75  # greatest width of a silhouette that stands or walks, in its heights
LONG = 0.25  # of the image's height: the least height of a body whose parts are told apart
WELL, HARDLY = 0.9, 0.5  # shares below which a finding is a warning, and a reason to stop
FEWEST = 50  # frames from which left and right are judged
AS_SHOULDERS = 1 / 3  # least share of frames in which a pair lies as the shoulders do: arms and legs swing
FACE_DIFFERENCE = 0.2  # of mean scores
SCORE_LIMIT = 1.5  # heat maps exceed 1 a little
CHECKED = 16  # frames of a sequence, at most
LOW = "low scores: "  # before the counts of frames in which no joint is confident

PAIRS = {"ears": 3, "elbows": 7, "wrists": 9, "hips": 11, "knees": 13}  # the left joint; the right one follows
Item = TypeVar("Item")


class Verdict(NamedTuple):
    """One finding, as a line for the user: whether it is well, and whether it is too bad to go on."""

    what: str
    well: bool = False
    stops: bool = False


def count_body(images: np.ndarray, keypoints: np.ndarray, counts: Counter) -> None:
    """Add to ``counts`` what some frames of a sequence show.

    Args:
        images: (T, H, W) of any numbers, 0 outside the person.
        keypoints: (T, 17, 3) x, y in pixels of ``images`` and score, before any is filled in.
    """
    every = len(images) // CHECKED + 1
    images, keypoints = images[::every], keypoints[::every]
    score, sure = keypoints[..., 2], surest(keypoints)
    xy = np.where(sure[..., None], keypoints[..., :2], 0).clip(-1e6, 1e6)
    low = sure.any(1) & ~(sure & (score >= CONFIDENT)).any(1)
    counts["frames looked at"] += len(images)
    counts["frames of low scores"] += int(low.sum())
    counts["frames without a score"] += int((~sure.any(1)).sum())
    for kind, these in (("", ~low), (LOW, low)):
        if these.any():
            _count_places(images[these], xy[these], sure[these], counts, kind)
    sure &= ~low[:, None]
    counts["joints scored above 1"] += int((sure & (score > SCORE_LIMIT)).sum())
    _count_sides(xy[..., 0], score, sure, APART * images.shape[1], counts)


def surest(keypoints: np.ndarray) -> np.ndarray:
    """Which joints show where the person is: the confident ones; where a frame has none, the best of those it has.

    Args:
        keypoints: (..., 17, 3) x, y, score.

    Returns:
        (..., 17) bool: a score of at least 0.5; in a frame without such, above 0 and at least half of its highest one.
    """
    score = np.where(np.isfinite(keypoints).all(-1), keypoints[..., 2], 0)
    highest = score.max(-1, keepdims=True)
    return (score > 0) & (score >= CONFIDENT * np.where(highest < CONFIDENT, highest, 1))


def _count_places(images: np.ndarray, xy: np.ndarray, sure: np.ndarray, counts: Counter, kind: str) -> None:
    counts[f"{kind}joints confident"] += int(sure.sum())
    counts[f"{kind}joints on body"] += _on_body(images, xy, sure)
    _count_upright(images, xy[..., 1], sure, counts, kind)


def _on_body(images: np.ndarray, xy: np.ndarray, sure: np.ndarray) -> int:
    height, width = images.shape[1:]
    reach = round(NEAR * height)
    kernel = np.ones((2 * reach + 1, 2 * reach + 1), np.uint8)
    near = np.empty(images.shape, np.uint8)
    for image, dilated in zip((images > 0).view(np.uint8), near, strict=True):
        cv2.dilate(image, kernel, dst=dilated)
    whole = np.rint(xy).astype(np.int64)
    frame, joint = (sure & (whole >= 0).all(-1) & (whole < (width, height)).all(-1)).nonzero()
    x, y = whole[frame, joint].T
    return int((near[frame, y, x] > 0).sum())


def _count_upright(images: np.ndarray, y: np.ndarray, sure: np.ndarray, counts: Counter, kind: str) -> None:
    """Frames in which head, hips and ankles are known and the silhouette stands; and of these, where they go down."""
    known, (head, hips, ankles) = part_heights(y, sure)
    known &= _extent(images.any(1)) <= UPRIGHT * _extent(images.any(2))
    spread = np.where(sure, y, -np.inf).max(1) - np.where(sure, y, np.inf).min(1)
    known &= spread >= LONG * images.shape[1]
    counts[f"{kind}frames upright"] += int(known.sum())
    counts[f"{kind}frames head above hips above ankles"] += int((known & (head < hips) & (hips < ankles)).sum())


def _extent(filled: np.ndarray) -> np.ndarray:
    """From the first to the last true value of each row of (T, N)."""
    return filled.shape[1] - filled.argmax(1) - filled[:, ::-1].argmax(1)


def _count_sides(x: np.ndarray, score: np.ndarray, sure: np.ndarray, apart: float, counts: Counter) -> None:
    """Whether pairs of joints lie as the shoulders do, and whether faces are seen from the front (left on the right).

    A left and right that are swapped in all pairs make a body that is possible, seen from the other side; then only the
    scores of the face can tell, which are lower from behind.
    """
    left = np.array([SHOULDERS.start, *PAIRS.values()])
    right = left + 1
    difference = x[:, left] - x[:, right]
    seen = sure[:, left] & sure[:, right] & (np.abs(difference) >= apart)
    side = np.where(seen, np.sign(difference), 0)  # T, pairs: 1 where the left joint is on the right
    shoulders, product = side[:, 0], side[:, :1] * side[:, 1:]
    for name, compared, alike in zip(PAIRS, (product != 0).sum(0), (product > 0).sum(0), strict=True):
        counts[f"{name} compared"] += int(compared)
        counts[f"{name} as shoulders"] += int(alike)
    face = np.nan_to_num(score[:, FACE]).clip(0, 1).mean(1)
    for name, sign in (("front", 1), ("back", -1)):
        counts[f"frames from the {name}"] += int((shoulders == sign).sum())
        counts[f"face from the {name}, percent"] += round(100 * face[shoulders == sign].sum())


def shares(total: Mapping[str, int], kind: str = "") -> tuple[float, float]:
    """Of the confident joints, those on the body; of the upright frames, those with head above hips above ankles.

    A share of none is 1. With the ``kind`` :data:`LOW` the shares are of the frames without a confident joint.
    """
    joints, frames = total.get(f"{kind}joints confident", 0), total.get(f"{kind}frames upright", 0)
    return (
        total[f"{kind}joints on body"] / joints if joints else 1.0,
        total[f"{kind}frames head above hips above ankles"] / frames if frames else 1.0,
    )


def judge(total: Mapping[str, int]) -> Iterator[Verdict]:
    """Yield what the sums of :func:`count_body` say: whether joints lie on people and upright, and what else is wrong.

    A share below 90 % is not well, one below 50 % stops. Where no joint is confident in a frame of ten, that is not
    well, and the joints of these frames with at least half of their frame's highest score are judged as well.
    """
    joints, low = total.get("joints confident", 0), total.get("frames of low scores", 0)
    if joints:
        yield from _judge_places(total, "", "confident joints", "frames")
    if low > (1 - WELL) * total.get("frames looked at", 0):
        yield Verdict(f"no joint has a score of {CONFIDENT} or more in {low} of {total['frames looked at']} frames")
        yield from _judge_places(total, LOW, "the best-scored joints of these", "these frames")
    for name in PAIRS:
        if (compared := total.get(f"{name} compared", 0)) >= FEWEST:
            share = total[f"{name} as shoulders"] / compared
            if share < AS_SHOULDERS:
                yield Verdict(f"left and right {name} lie as the shoulders do in {share:.1%} of {compared} frames only")
    yield from _judge_faces(total)
    if total.get("joints scored above 1", 0) > (1 - WELL) * joints:
        yield Verdict(f"scores above {SCORE_LIMIT}: {total['joints scored above 1']} of {joints}; expected 0 to 1")


def _judge_places(total: Mapping[str, int], kind: str, joints: str, frames: str) -> Iterator[Verdict]:
    on_body, upright = shares(total, kind)
    what = f"{joints} on the body: {on_body:.1%} of {total[f'{kind}joints confident']}"
    yield Verdict(what, on_body >= WELL, on_body < HARDLY)
    if number := total.get(f"{kind}frames upright", 0):
        what = f"{frames} with the head above the hips above the ankles: {upright:.1%} of {number}"
        yield Verdict(what, upright >= WELL, upright < HARDLY)


def judge_scores(total: Mapping[str, int]) -> Iterator[Verdict]:
    """Yield, of prepared frames, that many or all have no joint with a score above 0, so that all are absent."""
    frames, without = total.get("frames looked at", 0), total.get("frames without a score", 0)
    if without > (1 - WELL) * frames:
        yield Verdict(f"no joint has a score above 0 in {without} of {frames} frames", stops=without == frames)


def _judge_faces(total: Mapping[str, int]) -> Iterator[Verdict]:
    front, back = (total.get(f"frames from the {side}", 0) for side in ("front", "back"))
    if min(front, back) < FEWEST:
        return
    seen, hidden = total["face from the front, percent"] / front, total["face from the back, percent"] / back
    if hidden - seen > 100 * FACE_DIFFERENCE:
        yield Verdict(
            f"left and right seem to be swapped: faces score {hidden / 100:.2f} where the left shoulder is on the "
            f"left, as from behind, and {seen / 100:.2f} in the other frames"
        )


def evenly(items: Sequence[Item], most: int) -> list[Item]:
    """At most so many of the items, evenly spread."""
    return [items[i * len(items) // most] for i in range(most)] if len(items) > most else list(items)
