"""Keypoint files and folders of them, of any format that is known, told by what is in them."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ..errors import KpstraError, one_of, some
from . import lists, per_image, results, tables
from .compact import SUFFIX, compact
from .folders import source_of
from .values import PIXELS, SHARES, SQUARE, Poses, Size, Source, without_common_folder

Sizes = Size | Callable[[str], Size | None]


class Kind(NamedTuple):
    """What files of a kind are called, how their content is told, and who parses it; ``None`` for no keypoints."""

    name: str
    matches: Callable[[Any], bool]
    parse: Callable[[Any, Source], Poses] | None


JSON = (
    Kind("empty", per_image.is_empty, per_image.empty),
    Kind("results", results.is_results, results.results),
    Kind("mmpose", per_image.is_mmpose_video, per_image.mmpose_video),
    Kind("mmpose", per_image.is_mmpose_without_people, per_image.mmpose_without_people),
    Kind("mmpose", per_image.is_mmpose, per_image.mmpose),
    Kind("kpr", per_image.is_pifpaf, per_image.pifpaf),
    Kind("openpose", per_image.is_openpose, per_image.openpose),
    Kind("ultralytics", per_image.is_ultralytics, per_image.ultralytics),
    Kind("mediapipe33", per_image.is_mediapipe, per_image.mediapipe),
    Kind("alphapose", results.is_alphapose, results.alphapose),
    Kind("mtcnn", results.is_mtcnn, results.mtcnn),
    Kind("names", results.is_mapping, results.mapping),
    Kind("annotations", results.is_annotations, None),
)
TABLES = (
    Kind("sapiensid", tables.is_sapiensid, tables.sapiensid),
    Kind("cvlface", tables.is_cvlface, tables.cvlface),
    Kind("csv", tables.is_named, tables.named),
    Kind("sizes", tables.is_shapes, None),
)
TEXTS = (
    Kind("widerface_retinaface", lists.is_widerface, lists.widerface),
    Kind("celeba", lists.is_celeba, lists.celeba),
    Kind("insightface_lst", lists.is_named_faces, lists.named_faces),
    Kind("insightface_lst", lists.is_insightface, lists.insightface),
    Kind("ultralytics", lists.is_labels, lists.labels),
)
SUFFIXES = (".json", ".csv", ".txt", ".lst", SUFFIX)
FORMATS = {  # what a user may call a format -> kinds of files
    "kpr": ("kpr",),
    "coco_results": ("results",),
    "mmpose": ("mmpose",),
    "openpose": ("openpose",),
    "openpose_body25": ("openpose",),
    "openpose_coco18": ("openpose",),
    "alphapose": ("results", "alphapose", "openpose"),
    "alphapose_coco17": ("results",),
    "alphapose_halpe26": ("results",),
    "alphapose_open18": ("alphapose", "openpose"),
    "ultralytics": ("ultralytics", "results"),
    "mediapipe33": ("mediapipe33",),
    "names": ("names",),
    "csv": ("csv",),
    "sapiensid": ("sapiensid",),
    "celeba": ("celeba",),
    "cvlface": ("cvlface",),
    "insightface_lst": ("insightface_lst",),
    "mtcnn": ("mtcnn",),
    "widerface_retinaface": ("widerface_retinaface",),
    "kpstra": ("kpstra",),
}


def read(
    path: str | Path,
    format: str | None = None,
    size: Sizes | None = None,
    progress: Callable[[Sequence[Path]], Iterable[Path]] = iter,
) -> dict[str, np.ndarray]:
    """Return the joints of every image of a keypoint file, or of a folder of them.

    Args:
        path: a file; or a folder, whose files below it of other kinds are left out with a warning.
        format: one of :data:`FORMATS`; ``None`` tells each file's by its content.
        size: (height, width) of all images, or a function that tells it of an image's name (``None``: the image is left
            out); needed where x and y are shares of the image and the files do not tell its size.
        progress: wraps the files, such as ``tqdm``.

    Returns:
        By image name, as the file has it or as the file lies below ``path``: (17, 3) x, y in pixels (whole numbers are
        pixel centres; a share s of a side of W pixels is s W) and score, COCO's joints; or (5, 3) of a face. Absent
        joints are 0, 0, 0, and so are all of an image in which no person was found.

    Raises:
        KpstraError: a file that cannot be read or is of no known format, values that cannot be right, a name that is
            there twice, or shares of images of unknown size.

    Example:
        >>> read("alphapose-results.json")["0001_c1s1_000001_00.jpg"].shape
        (17, 3)
    """
    path = Path(path)
    if format is not None:
        one_of(format, FORMATS, f"{path}: format")
    files, wanted = _files(path), FORMATS.get(format) if format else None
    found: list[tuple[Path, Poses]] = []
    left_out: list[Path] = []
    for file in progress(files):
        kind, content = _recognise(file)
        if kind is None or (wanted and kind.name not in (*wanted, "empty", *_companions())):
            left_out.append(file)
        elif kind.parse:
            found.append((file, kind.parse(content, source_of(file, path))))
    if not found:
        known = f"the format {format}" if format else f"a known format: {', '.join(FORMATS)}"
        raise KpstraError(f"{path}: no keypoints of {known}")
    if left_out:
        warnings.warn(
            f"{path}: {len(left_out)} files of other kinds are left out: {some(f.name for f in left_out)}", stacklevel=2
        )
    people = _merged(found)
    if all(name.startswith("/") for name in people):
        people, names = without_common_folder(people), dict(zip(without_common_folder(people), people, strict=True))
    else:
        names = {name: name for name in people}
    return _in_pixels(path, people, _units(found), names, size)


def _companions() -> list[str]:
    return [kind.name for kind in (*JSON, *TABLES) if kind.parse is None]


def _files(path: Path) -> list[Path]:
    """The files to read: the one that is given, or those below the folder, in the order of their names."""
    if path.is_file():
        return [path]
    if not path.is_dir():
        raise KpstraError(f"{path}: no such file or folder")
    inside = (file for file in path.rglob("*") if file.suffix.lower() in SUFFIXES and not file.name.startswith("."))
    files = sorted(file for file in inside if file.is_file())
    if not files:
        raise KpstraError(f"{path}: no {', '.join(SUFFIXES)} file in this folder")
    return files


def _recognise(path: Path) -> tuple[Kind | None, Any]:
    """Return a file's kind, if it is known, with what its parser takes."""
    suffix = path.suffix.lower()
    if suffix == SUFFIX:
        return Kind("kpstra", bool, compact), path
    if suffix == ".csv":
        return _first(TABLES, tables.columns_of(path))[0], path
    text = _text(path)
    if suffix == ".json":
        try:
            return _first(JSON, json.loads(text))
        except (ValueError, RecursionError) as error:
            raise KpstraError(f"{path}: damaged, or not JSON ({str(error)[:100]}); make it again") from error
    lines = [line for line in text.splitlines() if line.strip()]
    if not lines:  # Ultralytics writes no file, or an empty one, where it finds nobody
        return Kind("empty", bool, lists.labels), lines
    return _first(TEXTS, lines)


def _first(kinds: Iterable[Kind], content: Any) -> tuple[Kind | None, Any]:
    return next((kind for kind in kinds if kind.matches(content)), None), content


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise KpstraError(f"{path}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise KpstraError(f"{path}: not text in UTF-8 ({error.reason}); make it again") from error


def _merged(found: Sequence[tuple[Path, Poses]]) -> dict[str, np.ndarray]:
    people: dict[str, np.ndarray] = {}
    where: dict[str, Path] = {}
    for file, poses in found:
        for name, joints in poses.people.items():
            if name in people and not np.array_equal(people[name], joints):
                raise KpstraError(f"{name}: other keypoints in {where[name]} and in {file}; give one of them")
            people[name], where[name] = joints, file
    if len({joints.shape for joints in people.values()}) > 1:
        raise KpstraError(f"{file.parent}: bodies and faces; give a folder with either")
    return people


def _units(found: Sequence[tuple[Path, Poses]]) -> dict[str, tuple[str, Size | None]]:
    """What x and y of each image are, and its size where a file tells it.

    Where all joints of all files lie within 0 and 1, they are shares of the image: no body is smaller than a pixel.
    """
    pixels = [joints[joints[:, 2] > 0, :2] for _, p in found if p.unit == PIXELS for joints in p.people.values()]
    present = np.concatenate(pixels) if pixels else np.zeros((0, 2))
    unit = PIXELS
    if len(present) and np.abs(present).max() <= 1:
        if present.min() < 0:
            told = "x and y lie within -1 and 1 (OpenPose's --keypoint_scale 4)"
            raise KpstraError(f"{found[0][0]}: {told}; write pixels (--keypoint_scale 0)")
        unit = SHARES
    return {name: (unit if p.unit == PIXELS else p.unit, p.sizes.get(name)) for _, p in found for name in p.people}


def _in_pixels(
    path: Path,
    people: Mapping[str, np.ndarray],
    units: Mapping[str, tuple[str, Size | None]],
    names: Mapping[str, str],
    size: Sizes | None,
) -> dict[str, np.ndarray]:
    result = {}
    for name, joints in people.items():
        unit, told = units[names[name]]
        if unit != PIXELS and joints.any():
            given = size(name) if callable(size) else size
            if callable(size) and given is None:
                continue
            if (given or told) is None:
                raise KpstraError(
                    f"{path}: {name}: x and y are {SHARES} of the image, whose size is not known; give the images "
                    "(`reid-ext keypoints --images`) or size (height, width)"
                )
            joints = _scaled(joints, given or told, unit)
        result[name] = joints
    return result


def _scaled(joints: np.ndarray, size: Size, unit: str) -> np.ndarray:
    """Shares in pixels; in SapiensID's, the shorter side was padded to the longer one, half on each end."""
    height, width = size
    padding = np.array([0, 0])
    if unit == SQUARE:
        side = max(size)
        padding, height, width = np.array([(side - width) // 2, (side - height) // 2]), side, side
    moved = joints.copy()
    present = joints[:, 2] > 0
    moved[present, :2] = joints[present, :2] * (width, height) - padding
    return moved
