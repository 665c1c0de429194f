"""CASIA-B with GaitGraph's poses: one CSV file of COCO's 17 joints in pixels of the video frame, as the silhouettes.

``<id>/<type>/<view>/<id>-<type>-<view>-NNN.png``, and rows ``./<id>-<type>-<view>/NNNNNN.jpg,nose_x,nose_y,nose_conf,
...``. Frames are joined by their numbers. That both number the frames of a video alike is not known from a public
source; ``prepare`` sees on a sample whether the joints lie on the people, and stops if they do not.
"""

from __future__ import annotations

import re
from collections import defaultdict
from functools import lru_cache
from pathlib import Path

import numpy as np

from plugins.errors import KpstraError
from plugins.keypoints.joints import COCO17, JOINTS

from ...layout import find_sequences
from .gait3d import folder_of
from .layout import RawLayout, Read

ROW = re.compile(rb"(?:\./)?(\d{3})-([a-z]{2}-\d\d)-(\d{3})/(\d+)\.\w+,")
HEADER = ",".join(["image_name", *(f"{joint}_{value}" for joint in COCO17 for value in ("x", "y", "conf"))])


def _sequences(root: Path) -> list[str]:
    return find_sequences(root, ".png", "--silhouettes")


@lru_cache(maxsize=4)
def _index(path: Path) -> dict[str, list[tuple[int, int, int]]]:
    """Where each sequence's rows are in the file: the frame's number, and the row's first and last byte."""
    rows: dict[str, list[tuple[int, int, int]]] = defaultdict(list)
    if not path.is_file():
        raise KpstraError(f"--poses {path}: no such file; GaitGraph's casia-b_pose_coco.csv is expected")
    with open(path, "rb") as stream:
        header = stream.readline()
        if header.decode("utf-8-sig", "replace").strip().replace(" ", "") != HEADER:
            raise KpstraError(f"--poses {path}: line 1: expected {HEADER[:40]}..., COCO's 17 joints")
        start = len(header)
        for number, line in enumerate(stream, 2):
            match = ROW.match(line)
            if not match and line.strip():
                row = line[:40].decode(errors="replace").strip()
                raise KpstraError(f"--poses {path}: line {number}: {row!r}: expected ./001-nm-01-090/000012.jpg,...")
            if match:
                name = "/".join(part.decode() for part in match.groups()[:3])
                rows[name].append((int(match[4]), start + match.end(), start + len(line)))
            start += len(line)
    return dict(rows)


def _posed(path: Path) -> list[str]:
    return list(_index(path))


def _poses(path: Path, name: str) -> dict[str, bytes]:
    found, prefix = {}, name.replace("/", "-")
    with open(path, "rb") as stream:
        for frame, start, stop in _index(path).get(name, ()):
            stream.seek(start)
            found[f"{prefix}-{frame:03d}"] = stream.read(stop - start)
    return found


def _read(row: bytes, image: np.ndarray) -> Read:
    try:
        joints = np.array([float(value) for value in row.split(b",")]).reshape(JOINTS, 3)
    except ValueError:
        return None, "broken"
    if not np.isfinite(joints).all():
        return None, "broken"
    return (joints, "") if joints.any() else (None, "all_zero")


CASIA_B = RawLayout(
    name="casia-b",
    pattern=r"(\d{3})/((?:nm|bg|cl)-\d\d)/(\d{3})/\1-\2-\3-\d+\.png",
    expected="<id>/<type>/<view>/<id>-<type>-<view>-NNN.png, and GaitGraph's casia-b_pose_coco.csv as --poses",
    exact=True,
    sequences=_sequences,
    images=folder_of,
    posed=_posed,
    poses=_poses,
    read=_read,
)
