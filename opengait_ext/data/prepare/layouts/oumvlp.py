"""OUMVLP and OUMVLP-Pose: both in pixels of the full frame, so the joints lie exactly on the silhouettes.

``Silhouette_<view>-<seq>/<id>/NNNN.png``, and ``<id>/<view>_<seq>/`` with a JSON file a frame: ``NNNN_keypoints.json``,
or other names that end in ``NNNN.json``. Of the people in a frame the one counts whose joints lie on the silhouette:
the first is often somebody else. A joint counts by its score, so that of two poses found on one person the surer one is
taken, and one whose scores are all low still comes before a bystander. Where nobody has a joint there, nobody counts.
OpenPose's 18 joints become COCO's 17.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from plugins.keypoints.joints import to_coco17

from ...layout import has_suffix
from ..files import read_bytes
from .layout import RawLayout, Read, folders

FRAME = re.compile(r"(\d{4})(?:_keypoints?)?\.json")
SEQUENCE = re.compile(r"Silhouette_([^-]+)-([^/]+)/([^/]+)")
BESIDE = 0.02  # of the image's height: how far beside the silhouette a joint counts as on it


def _sequences(root: Path) -> list[str]:
    found = filter(None, map(SEQUENCE.fullmatch, folders(root, 2)))
    return sorted(f"{identity}/{seq}/{view}" for view, seq, identity in (match.groups() for match in found))


def _images(root: Path, name: str) -> Path:
    identity, seq, view = name.split("/")
    return root / f"Silhouette_{view}-{seq}" / identity


def _posed(root: Path) -> list[str]:
    pairs = (name.split("/") for name in folders(root, 2))
    return [f"{identity}/{seq}/{view}" for identity, both in pairs for view, _, seq in [both.partition("_")]]


def _poses(root: Path, name: str) -> dict[str, Path]:
    identity, seq, view = name.split("/")
    folder = root / identity / f"{view}_{seq}"
    files = sorted(folder.iterdir()) if folder.is_dir() else []
    found = ((FRAME.search(path.name), path) for path in files if has_suffix(path.name, ".json"))
    return {match[1]: path for match, path in found if match}


def _read(path: Path, image: np.ndarray) -> Read:
    try:
        people = json.loads(read_bytes(path))["people"]
        poses = [pose for pose in map(_person, people) if pose is not None]
    except Exception:  # a damaged file, or other keys: no pose
        return None, "broken"
    if not poses:
        return None, "broken" if people else "nobody"
    if not any((pose[:, 2] > 0).any() for pose in poses):
        return None, "all_zero"
    on_silhouette = _on_silhouette(image, np.stack(poses))
    return poses[np.argmax(on_silhouette)], "" if on_silhouette.any() else "beside"


def _person(content: Any) -> np.ndarray | None:
    """One person's joints (17, 3); none if they cannot be read, of whatever kind the damage is."""
    try:
        joints = to_coco17(np.array(content["pose_keypoints_2d"], np.float64).reshape(-1, 3))
    except Exception:  # other keys, text, another number of joints
        return None
    return joints if np.isfinite(joints).all() else None


def _on_silhouette(image: np.ndarray, poses: np.ndarray) -> np.ndarray:
    """The sum of scores of each person's joints (P, 17, 3) that lie on the silhouette (H, W) or just beside it."""
    reach = round(BESIDE * len(image))
    left, top, width, height = cv2.boundingRect(image)
    if not width:
        return np.zeros(len(poses))
    body = image[top : top + height, left : left + width]
    near = cv2.dilate(
        cv2.copyMakeBorder(body, *[reach] * 4, cv2.BORDER_CONSTANT), np.ones((2 * reach + 1, 2 * reach + 1), np.uint8)
    )
    at = np.rint(poses[..., :2]).clip(-1, 1 << 30).astype(np.int64)
    x, y = (at - (left - reach, top - reach)).transpose(2, 0, 1)
    inside = (at >= 0).all(-1) & (at < image.shape[::-1]).all(-1) & (poses[..., 2] > 0)
    inside &= (x >= 0) & (y >= 0) & (x < near.shape[1]) & (y < near.shape[0])
    on = inside & (near[np.where(inside, y, 0), np.where(inside, x, 0)] > 0)
    return np.where(on, poses[..., 2], 0).sum(1)


OUMVLP = RawLayout(
    name="oumvlp",
    pattern=r"Silhouette_[^/]+-[^/]+/[^/]+/\d+\.png",
    expected="Silhouette_<view>-<seq>/<id>/NNNN.png, and poses <id>/<view>_<seq>/NNNN_keypoints.json",
    exact=True,
    sequences=_sequences,
    images=_images,
    posed=_posed,
    poses=_poses,
    read=_read,
)
