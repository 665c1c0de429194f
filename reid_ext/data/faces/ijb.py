"""IJB-B and IJB-C as InsightFace distributes them: loose crops, templates, media, pairs of templates."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np

from plugins.errors import KpstraError

META, IMAGES = "meta", "loose_crop"
MEMBERS, PAIRS, POINTS = "*_face_tid_mid.txt", "*_template_pair_label.txt", "*_name_5pts_score.txt"
COLUMNS = {MEMBERS: 3, PAIRS: 3, POINTS: 12}


class Templates(NamedTuple):
    """Of images (N,) file name, template, medium, detector's score; of pairs (P,) templates, and whether one person."""

    names: list[str]
    templates: np.ndarray
    medias: np.ndarray
    detection: np.ndarray
    first: np.ndarray
    second: np.ndarray
    same: np.ndarray


def find_meta(folder: Path, kind: str) -> Path | None:
    """Return the file of a kind in ``folder/meta``, if there is one."""
    return next(iter(sorted((folder / META).glob(kind))), None)


def read_templates(folder: Path) -> Templates:
    """Read templates and pairs; the landmarks beside the scores are for ``data.keypoints``.

    Raises:
        KpstraError: a file is missing, or a line is not as it should be.
    """
    members, points = _table(folder, MEMBERS, str), _table(folder, POINTS, str)
    scores = dict(zip(points[:, 0].tolist(), _numbers(points[:, 11], folder, POINTS, float).tolist(), strict=True))
    if missing := [name for name in members[:, 0].tolist() if name not in scores]:
        raise KpstraError(f"{find_meta(folder, POINTS)}: no line for {missing[0]} (of {len(missing)} such images)")
    names = members[:, 0].tolist()
    pairs = _table(folder, PAIRS, np.int64)
    if not np.isin(pairs[:, 2], (0, 1)).all():
        raise KpstraError(f"{find_meta(folder, PAIRS)}: the last number of a line is 1 for one person, 0 for two")
    return Templates(
        names,
        _numbers(members[:, 1], folder, MEMBERS, np.int64),
        _numbers(members[:, 2], folder, MEMBERS, np.int64),
        np.array([scores[name] for name in names]),
        pairs[:, 0],
        pairs[:, 1],
        pairs[:, 2] == 1,
    )


def _table(folder: Path, kind: str, dtype: type) -> np.ndarray:
    path = find_meta(folder, kind)
    expected = f"expected lines of {COLUMNS[kind]} values between spaces"
    if path is None:
        raise KpstraError(f"{folder / META}: no {kind} in it; it belongs to {folder}")
    try:
        table = np.loadtxt(path, dtype, ndmin=2) if path.stat().st_size else np.empty((0, 0))
    except (OSError, ValueError) as error:
        raise KpstraError(f"{path}: {str(error)[:100]}; {expected}") from error
    if table.shape[1] != COLUMNS[kind]:
        raise KpstraError(f"{path}: {table.shape[1]} values in a line: {expected}")
    return table


def _numbers(texts: np.ndarray, folder: Path, kind: str, dtype: type) -> np.ndarray:
    try:
        return texts.astype(dtype)
    except ValueError as error:
        raise KpstraError(f"{find_meta(folder, kind)}: {error}; expected numbers") from error
