"""SUSTech1K's 30 Hz files: poses in pixels of the picture's crop, whose size file 04 has, as far as can be seen.

Silhouettes are file 06, which OpenGait's configurations read; without it, file 07 taken back to the crop's proportions
and aligned as OpenGait does. File 07 (the crop's silhouette, stretched to 64 x 64) says where the alignment put the
crop, so the joints follow, to the half pixel that file 07 resolves. That the poses are in the crop's pixels is not
known from a public source: a sequence whose confident joints do not lie inside the crop, or whose file 06 is not what
aligning file 07 gives, is aligned by the body box instead, and counted.
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from plugins.errors import KpstraError
from plugins.keypoints.joints import CONFIDENT, resized

from ..poses import place
from ..silhouettes import Dropped, Placement, align_silhouette
from .layout import Arrays, PickledLayout
from .pickled import one_file, read_array, read_poses, read_silhouettes, same_length

INSIDE = 0.9  # least share of confident joints inside the crop
OVERLAP = 0.8  # least mean intersection over union of file 06 and file 07 when aligned
OPEN = 128  # grey value from which a pixel belongs to the person
SIZE = 64
LARGEST = 4096


def in_raw_silhouettes(poses: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """Return joints (T, 17, 3) of crops of ``sizes`` (T, 2), height and width, in pixels of file 07, 64 x 64."""
    return np.stack([resized(pose, size, (SIZE, SIZE)) for pose, size in zip(poses, sizes, strict=True)])


def _arrays(silhouettes: Path, poses: Path) -> Arrays:
    joints = read_poses(one_file(poses, "03-"))
    sizes = read_array(one_file(poses, "04-"))
    raw = read_silhouettes(one_file(silhouettes, "07-"))
    ready = read_silhouettes(one_file(silhouettes, "06-")) if list(silhouettes.glob("06-*.pkl")) else None
    same_length(poses=joints, sizes=sizes, silhouettes=raw, **({} if ready is None else {"aligned": ready}))
    if sizes.shape[1:] != (2,) or sizes.min() < 1 or sizes.max() > LARGEST:
        raise KpstraError(f"file 04: {sizes.shape}, {sizes.min():g} to {sizes.max():g}: expected heights and widths")
    aligned, placements = _aligned(raw, sizes)
    kept = ~np.isnan(placements[:, 0])
    if ready is None:
        if not kept.any():
            raise KpstraError("no usable frame in file 07")
        aligned, placements, joints, sizes = aligned[kept], placements[kept], joints[kept], sizes[kept]
    exact = _inside(joints, sizes) >= INSIDE and (ready is None or _overlap(ready[kept], aligned[kept]) >= OVERLAP)
    return aligned if ready is None else ready, place(joints, placements) if exact else joints, exact


def _aligned(raw: np.ndarray, sizes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """File 07 in the crops' proportions, aligned; and the placements (T, 4), NaN where a frame cannot be used."""
    images, placements = np.zeros((len(raw), SIZE, SIZE), np.uint8), np.full((len(raw), 4), np.nan)
    for i, (image, (height, width)) in enumerate(zip(raw, sizes.astype(int).tolist(), strict=True)):
        crop = cv2.resize(image, (width, height), interpolation=cv2.INTER_CUBIC)
        crop[crop < OPEN] = 0  # what the two resizings spread beyond the person's box
        try:
            placements[i] = Placement(*align_silhouette(crop, images[i]))
        except Dropped:
            continue
    return images, placements


def _inside(joints: np.ndarray, sizes: np.ndarray) -> float:
    """Share of the confident joints that lie inside the crop."""
    sure = joints[..., 2] >= CONFIDENT
    inside = (joints[..., :2] >= -0.5).all(-1) & (joints[..., :2] <= sizes[:, None, ::-1] - 0.5).all(-1)
    return float(inside[sure].mean()) if sure.any() else 0.0


def _overlap(one: np.ndarray, other: np.ndarray) -> float:
    """Mean intersection over union of two sets of silhouettes; 0 if they are of other sizes."""
    if one.shape != other.shape or not len(one):
        return 0.0
    one, other = one >= OPEN, other >= OPEN
    return float(((one & other).sum((1, 2)) / np.maximum((one | other).sum((1, 2)), 1)).mean())


SUSTECH1K = PickledLayout(
    name="sustech1k",
    pattern=r"[^/]+/[^/]+/[^/]+/\d\d-[^/]*(Sils|Pose|Ratios|RGB|PCDs)[^/]*\.pkl",
    expected="<id>/<type>/<view>/ with 03-*-Pose.pkl, 04-*-Ratios-HW.pkl, 07-*-Sils_raw.pkl and 06-*-Sils_aligned.pkl",
    arrays=_arrays,
    kind="exact where the poses are in the crop's pixels, else by body box",
)
