"""Ready arrays of silhouettes, and of poses in raw pixels: CCPG, CCGR. Aligned by the body box."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from plugins.errors import KpstraError, some
from plugins.keypoints.joints import JOINTS, to_coco17

from ...safe_pickle import read_array
from .layout import Arrays, PickledLayout

LEADS = {2 + 3 * JOINTS: 2, 5 + 3 * JOINTS: 5}  # values a frame, and how many come before the joints: a size, a box


def one_file(folder: Path, part: str = "") -> Path:
    """The one pickle of a folder whose name holds ``part``.

    Raises:
        KpstraError: there are more, or none.
    """
    names = [path.name for path in folder.glob("*.pkl")] if folder.is_dir() else []
    files = sorted(name for name in names if part in name.lower() and not name.startswith("."))
    if len(files) != 1:
        named = f" with {part} in the name" if part else ""
        raise KpstraError(
            f"{folder}: {len(files)} .pkl files{named}, expected one (there is {some(sorted(names)) or 'none'})"
        )
    return folder / files[0]


def read_silhouettes(path: Path) -> np.ndarray:
    """Read silhouettes uint8 (T, H, W)."""
    images = read_array(path)
    if images.ndim != 3 or images.dtype != np.uint8:
        raise KpstraError(f"silhouettes: {images.dtype} {images.shape}, expected uint8 (T, H, W)")
    return images


def read_poses(path: Path) -> np.ndarray:
    """Read poses as COCO's 17 joints (T, 17, 3): of (T, K, 3), of (T, 53) after a size, or of (T, 56) after a box."""
    raw = read_array(path)
    if raw.ndim == 2 and raw.shape[1] in LEADS:
        raw = raw[:, LEADS[raw.shape[1]] :].reshape(len(raw), JOINTS, 3)
    if raw.ndim != 3 or raw.shape[2] != 3:
        raise KpstraError(f"poses: {raw.shape}, expected (T, {JOINTS}, 3), joints with scores")
    return to_coco17(raw.astype(np.float64), f"poses: {raw.shape}")


def same_length(**arrays: np.ndarray) -> None:
    """Refuse arrays of unequal numbers of frames."""
    if len({len(array) for array in arrays.values()}) > 1:
        counts = ", ".join(f"{len(array)} {name}" for name, array in arrays.items())
        raise KpstraError(f"unequal length: {counts}")


def _two(silhouettes: Path, poses: Path) -> Arrays:
    images, joints = read_silhouettes(silhouettes), read_poses(poses)
    same_length(silhouettes=images, poses=joints)
    return images, joints, False


def plain(silhouettes: Path, poses: Path) -> Arrays:
    """Read the one pickle of each folder."""
    return _two(one_file(silhouettes), one_file(poses))


def _ccpg(silhouettes: Path, poses: Path) -> Arrays:
    part = "pose" if silhouettes == poses else ""
    return _two(one_file(silhouettes, "aligned-sils"), one_file(poses, part))


def _ccgr(silhouettes: Path, poses: Path) -> Arrays:
    return _two(one_file(silhouettes, "sil"), one_file(poses, "pose"))


PLAIN = PickledLayout(
    name="opengait",
    pattern=r"[^/]+/[^/]+/[^/]+/[^/]+\.pkl",
    expected="<id>/<type>/<view>/*.pkl, one in each folder",
    arrays=plain,
)
CCPG = PickledLayout(
    name="ccpg",
    pattern=r"[^/]+/[^/]+/[^/]+/[^/]*aligned-sils\.pkl",
    expected="<id>/<type>/<view>/*aligned-sils.pkl, and poses <id>/<type>/<view>/*.pkl",
    arrays=_ccpg,
)
CCGR = PickledLayout(
    name="ccgr",
    pattern=r"[^/]+/[^/]+/[^/]+\.avi/[^/]*sil[^/]*\.pkl",
    expected="<id>/<type>/<view>.avi/*sil*.pkl and *pose*.pkl",
    arrays=_ccgr,
)
