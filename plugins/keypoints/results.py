"""JSON files of many images: COCO results (MMPose, Detectron2, Ultralytics), AlphaPose, MTCNN, mappings by name."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import numpy as np

from ..errors import KpstraError, some
from .per_image import is_openpose, openpose_person
from .values import Poses, Source, best, body, face, numbers, triples

POINTS = ("left_eye", "right_eye", "nose", "mouth_left", "mouth_right")  # MTCNN's; left is the image's


def is_results(content: Any) -> bool:
    """A list of detections with ``image_id`` and flat ``keypoints``."""
    return isinstance(content, list) and bool(content) and all(_is_detection(item) for item in content)


def _is_detection(item: Any) -> bool:
    return isinstance(item, dict) and "image_id" in item and isinstance(item.get("keypoints"), list)


def results(content: list[dict], source: Source) -> Poses:
    """Parse detections; of those of an image, the one of the highest ``score`` counts.

    ``image_id`` is a name (AlphaPose, Ultralytics), or a number that an annotation file beside this one names.
    """
    found: dict[Any, list] = defaultdict(list)
    for number, item in enumerate(content):
        where = f"{source.path}: detection {number}"
        score = numbers(item.get("score", 0.0), f"{where}: score")
        if score.ndim or not isinstance(item["image_id"], (str, int)):
            raise KpstraError(f"{where}: image_id {item['image_id']!r:.40}, score {item.get('score')!r:.40}")
        found[item["image_id"]].append((body(triples(item["keypoints"], where), where), float(score)))
    names = _names_of([i for i in found if not isinstance(i, str)], source)
    return Poses({source.name(names.get(i, i)): best(*zip(*people, strict=True)) for i, people in found.items()})


def _names_of(numbers: list[int], source: Source) -> Mapping[int, str]:
    """Names of numbered images, from ``images`` of the annotation files beside the results, which must agree."""
    if not numbers:
        return {}
    found: dict[str, dict[int, str]] = {}
    for path in sorted(source.path.parent.glob("*.json")):
        with suppress(OSError, ValueError, RecursionError, TypeError):  # another file beside it: not what is looked for
            if path != source.path and is_annotations(content := json.loads(path.read_text(encoding="utf-8-sig"))):
                names = {image.get("id"): image.get("file_name") for image in content["images"]}
                if set(numbers) <= set(names):
                    found[path.name] = {number: names[number] for number in numbers}
    if not found:
        raise KpstraError(
            f"{source.path}: images are numbered ({some(numbers)}) and no annotation file beside it names them all in "
            "its `images`; copy it there"
        )
    names, *others = found.values()
    if other := next((other for other in others if other != names), None):
        number = next(number for number in numbers if names[number] != other[number])
        raise KpstraError(
            f"{source.path}: images are numbered, and the annotation files beside it name them differently: "
            f"{some(list(found), len(found))}, image {number} is {names[number]!r} or {other[number]!r}; "
            "leave the one of these results beside them and move the others away"
        )
    return names


def is_annotations(content: Any) -> bool:
    """A COCO annotation file, which names images."""
    return isinstance(content, dict) and isinstance(content.get("images"), list) and _dicts(content["images"])


def is_alphapose(content: Any) -> bool:
    """AlphaPose's ``--format open``: by image, ``people`` as OpenPose has them."""
    return _mapping(content, is_openpose)


def alphapose(content: dict[str, dict], source: Source) -> Poses:
    """Parse people by image."""
    return Poses({source.name(name): openpose_person(item, f"{source.path}: {name}") for name, item in content.items()})


def is_mtcnn(content: Any) -> bool:
    """MTCNN's faces by image: ``keypoints`` of ``left_eye`` and so on."""
    return _mapping(
        content,
        lambda faces: (
            isinstance(faces, list)
            and _dicts(faces)
            and all(isinstance(item.get("keypoints"), dict) and {*POINTS} <= {*item["keypoints"]} for item in faces)
        ),
    )


def mtcnn(content: dict[str, list[dict]], source: Source) -> Poses:
    """Parse faces by image; the one of the highest ``confidence`` counts."""
    people = {}
    for name, faces in content.items():
        where = f"{source.path}: {name}"
        points = [face([item["keypoints"][point] for point in POINTS], where) for item in faces]
        scores = [float(numbers(item.get("confidence", 0.0), where)) for item in faces]
        people[source.name(name)] = best(points, scores) if points else np.zeros((len(POINTS), 3))
    return Poses(people)


def is_mapping(content: Any) -> bool:
    """Joints by image name: 17 of x, y, score each, flat or nested; an empty list is no person."""
    return _mapping(content, _is_rows) and any(content.values())


def _is_rows(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(row, (int, float, list)) for row in value)


def mapping(content: dict[str, list], source: Source) -> Poses:
    """Parse joints by image name."""
    people = {}
    for name, values in content.items():
        where = f"{source.path}: {name}"
        people[source.name(name)] = body(triples(values, where), where) if values else np.zeros((17, 3))
    return Poses(people)


def _mapping(content: Any, matches: Any) -> bool:
    return isinstance(content, dict) and bool(content) and all(map(matches, content.values()))


def _dicts(items: list) -> bool:
    return bool(items) and all(isinstance(item, dict) for item in items)
