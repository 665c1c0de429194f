"""Numbers of a keypoint file as joints: checked, mapped to COCO's 17, absent ones zero in every spelling."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import takewhile
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ..errors import KpstraError
from .joints import FIVE_POINTS, to_coco17

PIXELS, SHARES, SQUARE = "pixels", "shares", "shares of the square"  # what x and y are
FARTHEST = 1e6  # no pixel is there
Size = tuple[int, int]  # height, width


class Source(NamedTuple):
    """A file, and the folder that the names in it are in: a path below the one that is read, or nothing."""

    path: Path
    folder: str = ""

    def name(self, name: object) -> str:
        """Return the name of an image that the file calls ``name``."""
        if not isinstance(name, (str, int)) or isinstance(name, bool) or not str(name).strip():
            raise KpstraError(f"{self.path}: {name!r:.60}: expected the name of an image")
        plain = "/".join(part for part in str(name).replace("\\", "/").split("/") if part != ".")
        return f"{self.folder}/{plain}" if self.folder and not plain.startswith("/") else plain


@dataclass
class Poses:
    """What a file holds: (17, 3) or (5, 3) by image name, what x and y are, and sizes of images where it tells them."""

    people: dict[str, np.ndarray]
    unit: str = PIXELS
    sizes: Mapping[str, Size] = field(default_factory=dict)


def add(people: dict[str, np.ndarray], name: str, joints: np.ndarray, where: str) -> None:
    """Add an image's joints.

    Raises:
        KpstraError: it has some.
    """
    if name in people:
        raise KpstraError(f"{where}: {name} is there twice")
    people[name] = joints


def numbers(values: Any, where: str) -> np.ndarray:
    """Return nested lists of numbers as an array of floats; ``None`` and NaN are NaN.

    Raises:
        KpstraError: text, lists of unequal length, infinite numbers, or numbers that no pixel has.
    """
    try:
        array = np.array(values, np.float64)
    except (TypeError, ValueError, OverflowError) as error:
        raise KpstraError(f"{where}: {values!r:.60}: expected numbers") from error
    if (np.abs(array) > FARTHEST).any():
        raise KpstraError(f"{where}: {array[np.abs(array) > FARTHEST][0]:g}: no pixel and no score is that large")
    return array


def triples(values: Any, where: str) -> np.ndarray:
    """Return (K, 3) of x, y, score, given so or in one row.

    Raises:
        KpstraError: of another shape.
    """
    array = numbers(values, where)
    if array.ndim == 1 and array.size and array.size % 3 == 0:
        array = array.reshape(-1, 3)
    if array.ndim != 2 or array.shape[1] != 3:
        raise KpstraError(f"{where}: {array.size} values of shape {array.shape}: expected x, y, score of each joint")
    return array


def body(joints: np.ndarray, where: str) -> np.ndarray:
    """Return (17, 3) of any known joint set (K, 3); absent joints are 0, 0, 0.

    Raises:
        KpstraError: no set has K joints.
    """
    return to_coco17(without_absent(joints), where)


def face(points: Sequence[float] | np.ndarray, where: str) -> np.ndarray:
    """Return (5, 3) of five points (5, 2 or 3), also in one row; a score that is not there is 1.

    Raises:
        KpstraError: not five points.
    """
    array = numbers(points, where)
    if array.size not in (2 * FIVE_POINTS, 3 * FIVE_POINTS):
        raise KpstraError(f"{where}: {array.size} values: expected five points, x, y or x, y, score of each")
    array = array.reshape(FIVE_POINTS, -1)
    return without_absent(scored(array[:, :2]) if array.shape[1] == 2 else array)


def scored(points: np.ndarray) -> np.ndarray:
    """Return points (K, 2) with a score of 1, (K, 3)."""
    return np.concatenate([points, np.ones((len(points), 1))], 1)


def without_absent(joints: np.ndarray) -> np.ndarray:
    """Return (K, 3) in which joints that are absent are 0, 0, 0.

    They are spelled so, or 0, 0 with any score, or -1, -1, or NaN, or with a score that is not above 0.
    """
    x, y, score = joints.T
    absent = np.isnan(joints).any(1) | ~(score > 0) | ((x == 0) & (y == 0)) | ((x == -1) & (y == -1))
    return np.where(absent[:, None], 0, joints)


def best(people: Sequence[np.ndarray], scores: Sequence[float] | None = None) -> np.ndarray:
    """Return one of some people's joints (K, 3): the one of the highest score, or else of the highest sum of scores."""
    if scores is None:
        scores = [float(joints[:, 2].sum()) for joints in people]
    return people[int(np.argmax(np.nan_to_num(np.asarray(scores, np.float64), nan=-np.inf)))]


def nobody() -> np.ndarray:
    """Return the joints of an image in which no person was found: all absent."""
    return np.zeros((17, 3))


def without_common_folder(people: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return the same by names from which the leading folders that all share are taken off.

    Example:
        >>> list(without_common_folder({"/rec/anna/cam1/1.png": None, "/rec/emma/cam1/1.png": None}))
        ['anna/cam1/1.png', 'emma/cam1/1.png']
    """
    folders = [name.split("/")[:-1] for name in people]
    same = [level[0] for level in takewhile(lambda level: len({*level}) == 1, zip(*folders, strict=False))]
    return {name[len("/".join([*same, ""])) :]: joints for name, joints in people.items()} if same else {**people}
