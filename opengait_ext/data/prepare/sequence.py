"""One sequence: from a folder of silhouettes and one of poses to two arrays, and from these to two files."""

from __future__ import annotations

import os
import pickle
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from plugins.common.files import new_folder
from plugins.common.folders import SCRATCH
from plugins.keypoints.joints import JOINTS

from ..body import count_body
from ..layout import has_suffix
from .body_box import body_box_placements
from .layouts import RawLayout
from .poses import POSE_RULES, fill_absent, place
from .silhouettes import Dropped, align_silhouette, read_silhouette

FILES = ("0_sil.pkl", "1_keypoints.pkl")  # models read the first modality as silhouettes
NUMBER = re.compile(r"(\d+)")

Prepared = tuple[np.ndarray, np.ndarray, Counter]


def images_of(folder: Path) -> list[str]:
    """The silhouettes' file names, in the order of their numbers; gait energy images are left out, as by OpenGait."""
    names = [name for name in os.listdir(folder) if has_suffix(name, ".png") and "gei.png" not in name.lower()]
    return in_order(names)


def in_order(names: Sequence[str]) -> list[str]:
    """Sort names as text, but numbers in them by their value: ``f9`` before ``f10``."""
    if len({len(name) for name in names}) <= 1:
        return sorted(names)
    return sorted(names, key=lambda name: [int(part) if part.isdecimal() else part for part in NUMBER.split(name)])


def prepare_sequence(silhouettes: Path, poses: Mapping[str, Any], size: int, layout: RawLayout) -> Prepared:
    """Return (T, S, S) uint8 silhouettes, (T, 17, 3) float32 keypoints in their pixels, and counts.

    Absent joints are filled in along the frames' numbers; the arrays are in the order of names as text, OpenGait's.

    Args:
        silhouettes: a folder of PNG files, one a frame.
        poses: what ``layout`` reads joints from, by the picture's stem.
        size: S.
        layout: of the release.
    """
    names, counts = images_of(silhouettes), Counter()
    counts["stray poses"] = len(poses.keys() - {name[:-4] for name in names})
    counts["reordered"] = int(names != sorted(names))
    images = np.empty((len(names), size, size), np.uint8)
    placements, raw = np.empty((len(names), 4)), np.zeros((len(names), JOINTS, 3))
    folder, kept, used = str(silhouettes), 0, []
    for name in names:
        try:
            image = read_silhouette(f"{folder}/{name}")
            placements[kept] = align_silhouette(image, images[kept])
        except Dropped as dropped:
            counts[f"frames {dropped}"] += 1
            continue
        pose, rule = layout.pose(poses.get(name[:-4]), image)
        if rule in POSE_RULES:
            counts[f"poses {rule}"] += 1
        else:
            raw[kept] = pose
            counts["scaled"] += rule == "scaled"
        kept += 1
        used.append(name)
    images, raw, placements = images[:kept], raw[:kept], placements[:kept]
    if not layout.exact:
        there = raw.any((1, 2))
        placements = body_box_placements(raw, (size, size))
        counts["poses no_body_box"] = int((there & np.isnan(placements[:, 0])).sum())
    placed = place(raw, placements)
    count_body(images, placed, counts)
    keypoints, counts["joints absent"] = fill_absent(placed, (size, size))
    counts["frames"] = kept
    if counts["reordered"]:
        as_text = sorted(range(kept), key=used.__getitem__)
        images, keypoints = images[as_text], keypoints[as_text]
    return images, keypoints, counts


def write_sequence(output: Path, name: str, images: np.ndarray, keypoints: np.ndarray) -> Path:
    """Write a sequence's files into a folder in the scratch folder of ``output``, and return it."""
    partial = new_folder(output / SCRATCH, output / name)
    for file, array in zip(FILES, (images, keypoints), strict=True):
        with open(partial / file, "wb") as stream:
            pickle.dump(array, stream)
    return partial


def is_written(output: Path, name: str) -> bool:
    """Whether both files of a sequence are there and hold something."""
    try:
        return all((output / name / file).stat().st_size for file in FILES)
    except OSError:
        return False
