"""JSON files of one image each: keypoint-promptable re-ID (OpenPifPaf), MMPose, OpenPose, Ultralytics, MediaPipe."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..errors import KpstraError
from .values import SHARES, Poses, Source, best, body, nobody, numbers, scored, triples

OPENPOSE = ("pose_keypoints_2d", "pose_keypoints", "joints")  # today's, very old, AlphaPose's `cmu`
PEOPLE = ("people", "bodies")


def is_empty(content: Any) -> bool:
    """Whether no person was found."""
    return content == []


def empty(_: Any, source: Source) -> Poses:
    """Parse an empty list."""
    return Poses({_named(source): nobody()})


def is_pifpaf(content: Any) -> bool:
    """Skeletons with flat or nested ``keypoints``: a list of them, or one."""
    return _of(content if isinstance(content, list) else [content], lambda skeleton: _lists(skeleton, "keypoints"))


def pifpaf(content: Any, source: Source) -> Poses:
    """Parse skeletons; the one that ``is_target`` counts, or else the first."""
    skeletons = content if isinstance(content, list) else [content]
    targets = [skeleton for skeleton in skeletons if skeleton.get("is_target")]
    chosen = (targets or skeletons)[0]["keypoints"]
    return Poses({_named(source): body(triples(chosen, f"{source.path}: keypoints"), str(source.path))})


def is_mmpose(content: Any) -> bool:
    """Instances with ``keypoint_scores``, as the inferencer and the demo write them."""
    return _of(_instances(content), lambda instance: _lists(instance, "keypoint_scores"))


def mmpose(content: Any, source: Source) -> Poses:
    """Parse instances; the one of the highest ``bbox_score`` counts."""
    people, scores = [], []
    for instance in _instances(content):
        points = numbers(instance.get("keypoints"), f"{source.path}: keypoints")
        score = numbers(instance["keypoint_scores"], f"{source.path}: keypoint_scores")
        if points.ndim != 2 or points.shape != (len(score), 2):
            raise KpstraError(f"{source.path}: keypoints {points.shape} and keypoint_scores {score.shape} do not agree")
        people.append(body(np.concatenate([points, score[:, None]], 1), str(source.path)))
        scores.append(_score(instance.get("bbox_score", score.mean()), source))
    demo = isinstance(content, dict)
    name = _named(source).rpartition("results_") if demo else None
    return Poses({name[0] + name[2] if name else _named(source): best(people, scores)})


def _instances(content: Any) -> Any:
    return content.get("instance_info") if isinstance(content, dict) else content


def is_mmpose_without_people(content: Any) -> bool:
    """The demo's file of an image without people."""
    return isinstance(content, dict) and content.get("instance_info") == []


def mmpose_without_people(_: Any, source: Source) -> Poses:
    """Parse the demo's file of an image without people."""
    before, _, after = _named(source).rpartition("results_")
    return Poses({before + after: nobody()})


def is_mmpose_video(content: Any) -> bool:
    """Frames of a video, which are numbered and not named."""
    return _of(_instances(content), lambda frame: "frame_id" in frame and "instances" in frame)


def mmpose_video(_: Any, source: Source) -> Poses:
    """Refuse a video: its frames are counted from 0 by one tool and from 1 by another.

    Raises:
        KpstraError: always.
    """
    raise KpstraError(f"{source.path}: MMPose's frames of a video have no names; run it on the folder of their images")


def is_openpose(content: Any) -> bool:
    """``people`` with ``pose_keypoints_2d``."""
    return isinstance(content, dict) and any(isinstance(content.get(key), list) for key in PEOPLE)


def openpose(content: Any, source: Source) -> Poses:
    """Parse people; OpenPose gives them no score, so the one with the highest sum of its joints' counts."""
    return Poses({_named(source): openpose_person(content, str(source.path))})


def openpose_person(content: Any, where: str) -> np.ndarray:
    """Return the joints (17, 3) of one of ``people``."""
    people = []
    for person in next(content[key] for key in PEOPLE if isinstance(content.get(key), list)):
        values = next((person[key] for key in OPENPOSE if key in person), None) if isinstance(person, dict) else None
        if values is None:
            raise KpstraError(f"{where}: a person without {OPENPOSE[0]}")
        people.append(body(triples(values, f"{where}: {OPENPOSE[0]}"), where))
    return best(people) if people else nobody()


def is_ultralytics(content: Any) -> bool:
    """Ultralytics' ``tojson``: boxes with ``keypoints`` of x, y, visible."""
    return _of(content, lambda box: isinstance(box.get("keypoints"), dict) and {"x", "y"} <= set(box["keypoints"]))


def ultralytics(content: Any, source: Source) -> Poses:
    """Parse boxes; the one of the highest ``confidence`` counts."""
    people, scores = [], []
    for box in content:
        x, y, *visible = (
            numbers(box["keypoints"][key], f"{source.path}: keypoints.{key}")
            for key in ("x", "y", "visible")
            if key in box["keypoints"]
        )
        if x.ndim != 1 or any(other.shape != x.shape for other in (y, *visible)):
            raise KpstraError(f"{source.path}: keypoints: x, y and visible are not of one length")
        joints = np.stack([x, y, *visible], 1)
        people.append(body(joints if visible else scored(joints), str(source.path)))
        scores.append(_score(box.get("confidence", 0.0), source))
    return Poses({_named(source): best(people, scores)})


def is_mediapipe(content: Any) -> bool:
    """Landmarks as dictionaries of x, y, z, visibility: shares of the image."""
    return _of(content, lambda landmark: {"x", "y"} <= set(landmark))


def mediapipe(content: Any, source: Source) -> Poses:
    """Parse the landmarks of one person."""
    rows = [[mark["x"], mark["y"], mark.get("visibility", 1.0)] for mark in content]
    return Poses({_named(source): body(triples(rows, str(source.path)), str(source.path))}, SHARES)


def _of(content: Any, matches: Any) -> bool:
    """Whether something is a list of dictionaries that all match, and not empty."""
    return (
        isinstance(content, list)
        and bool(content)
        and all(isinstance(item, dict) and matches(item) for item in content)
    )


def _lists(item: dict, key: str) -> bool:
    return isinstance(item.get(key), list) and "image_id" not in item


def _score(value: Any, source: Source) -> float:
    """A person's score: one number, NaN where it is ``null``."""
    score = numbers(value, f"{source.path}: score of a person")
    if score.ndim:
        raise KpstraError(f"{source.path}: score of a person: {value!r:.40}: expected a number")
    return float(score)


def _named(source: Source) -> str:
    """The image's name as a file of this kind has it in its own name."""
    name = source.path.name.removesuffix(".json")
    for suffix in ("_keypoints", ".predictions"):
        name = name.removesuffix(suffix)
    return source.name(name)
