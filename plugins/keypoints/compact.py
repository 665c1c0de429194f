"""kpstra's own keypoint file: names and joints as two arrays (``.npz``), read at once and without running code."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from ..common.files import atomic_write
from ..errors import KpstraError
from .joints import FIVE_POINTS, JOINTS
from .values import FARTHEST, Poses, Source

SUFFIX = ".npz"
UNREADABLE = (OSError, ValueError, KeyError, EOFError, NotImplementedError, zipfile.BadZipFile, zlib.error)
LARGEST = 1 << 31  # bytes of one array: ten million people


def write(path: str | Path, people: Mapping[str, np.ndarray]) -> None:
    """Write (17, 3) or (5, 3) joints by image name, whole or not at all.

    Raises:
        KpstraError: nobody, joints of two sets, or the file cannot be written.

    Example:
        >>> write("market.npz", read("pifpaf_keypoints"))
    """
    shapes = {np.shape(joints) for joints in people.values()}
    if len(shapes) != 1 or not shapes <= {(JOINTS, 3), (FIVE_POINTS, 3)}:
        raise KpstraError(f"{path}: joints of the shapes {sorted(shapes)}: expected (17, 3) for all, or (5, 3)")
    names, joints = np.array(list(people)), np.stack(list(people.values())).astype(np.float32)
    with atomic_write(path) as stream:
        np.savez_compressed(stream, names=names, keypoints=joints)


def compact(path: Path, source: Source) -> Poses:
    """Read what :func:`write` wrote.

    Raises:
        KpstraError: another file, a damaged one, or one whose arrays do not fit each other.
    """
    expected = "expected a file of `reid-ext keypoints`"
    try:
        with zipfile.ZipFile(path) as archive:
            if max((item.file_size for item in archive.infolist()), default=0) > LARGEST:
                raise KpstraError(f"{path}: an array of more than {LARGEST} bytes; {expected}")
        with np.load(path, allow_pickle=False) as arrays:
            names, joints = arrays["names"], arrays["keypoints"]
    except UNREADABLE as error:
        raise KpstraError(f"{path}: damaged, or of another kind ({str(error)[:80]}); {expected}") from error
    if (
        names.ndim != 1
        or names.dtype.kind != "U"
        or joints.dtype.kind != "f"
        or joints.shape[1:] not in ((JOINTS, 3), (FIVE_POINTS, 3))
        or len(joints) != len(names)
    ):
        raise KpstraError(f"{path}: names {names.dtype} {names.shape} and keypoints {joints.shape}; {expected}")
    if not (np.abs(joints) <= FARTHEST).all():
        raise KpstraError(f"{path}: keypoints are NaN, infinite or no pixels; {expected}")
    if len({*names.tolist()}) < len(names):
        raise KpstraError(f"{path}: a name is there twice; {expected}")
    return Poses(dict(zip(map(source.name, names.tolist()), joints.astype(np.float64), strict=True)))
