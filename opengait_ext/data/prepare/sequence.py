"""One sequence: from a folder of silhouettes and one of poses to two arrays, and from these to two files."""

from __future__ import annotations

import os
import pickle
import shutil
from collections import Counter
from pathlib import Path

import numpy as np

from .body import count_on_body
from .poses import JOINTS, fill_absent, place, read_pose
from .silhouettes import Dropped, align_silhouette, read_silhouette

FILES = ("0_sil.pkl", "1_keypoints.pkl")  # models read the first modality as silhouettes
PARTIAL = ".partial"

Prepared = tuple[np.ndarray, np.ndarray, Counter]


def images_of(folder: Path) -> list[str]:
    """The silhouettes' file names, in order; OpenGait leaves out gait energy images, and so do we."""
    return sorted(name for name in os.listdir(folder) if name.endswith(".png") and "gei.png" not in name)


def poses_of(folder: Path) -> set[str]:
    """The stems of the pose files; none if there is no such folder."""
    return {name[:-4] for name in os.listdir(folder) if name.endswith(".txt")} if folder.is_dir() else set()


def prepare_sequence(silhouettes: Path, poses: Path, size: int) -> Prepared:
    """Return (T, S, S) uint8 silhouettes, (T, 17, 3) float32 keypoints in their pixels, and counts.

    Args:
        silhouettes: a folder of PNG files, one a frame.
        poses: the folder of the pose files with the same stems; it may be missing.
        size: S.
    """
    names, counts = images_of(silhouettes), Counter()
    stems = poses_of(poses)
    counts["stray poses"] = len(stems.difference(name[:-4] for name in names))
    images = np.empty((len(names), size, size), np.uint8)
    placements, raw = np.empty((len(names), 4)), np.zeros((len(names), JOINTS, 3))
    silhouettes_folder, poses_folder, kept = str(silhouettes), str(poses), 0
    for name in names:
        try:
            placements[kept] = align_silhouette(read_silhouette(f"{silhouettes_folder}/{name}"), images[kept])
        except Dropped as dropped:
            counts[f"frames {dropped}"] += 1
            continue
        pose, broken = read_pose(f"{poses_folder}/{name[:-4]}.txt") if name[:-4] in stems else (None, "missing")
        if pose is None:
            counts[f"poses {broken}"] += 1
        else:
            raw[kept] = pose
        kept += 1
    images = images[:kept]
    placed = place(raw[:kept], placements[:kept])
    count_on_body(images, placed, counts)
    keypoints, counts["joints absent"] = fill_absent(placed, (size, size))
    counts["frames"] = kept
    return images, keypoints, counts


def write_sequence(output: Path, name: str, images: np.ndarray, keypoints: np.ndarray) -> Path:
    """Write a sequence's files into a folder under ``<output>/.partial`` and return it."""
    partial = output / PARTIAL / f"{name.replace('/', '__')}.{os.getpid()}"
    partial.mkdir(parents=True)
    for file, array in zip(FILES, (images, keypoints), strict=True):
        with open(partial / file, "wb") as stream:
            pickle.dump(array, stream)
    return partial


def put_in_place(partial: Path, target: Path) -> None:
    """Turn a written folder into ``target``, whole or not at all; an older folder of that name is replaced."""
    shutil.rmtree(target, ignore_errors=True)
    target.parent.mkdir(parents=True, exist_ok=True)
    os.replace(partial, target)


def is_written(output: Path, name: str) -> bool:
    """Whether both files of a sequence are there and hold something."""
    try:
        return all((output / name / file).stat().st_size for file in FILES)
    except OSError:
        return False
