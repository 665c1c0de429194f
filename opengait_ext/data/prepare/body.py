"""Whether the joints lie on the people: if not, poses and silhouettes are in different pixel frames."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path

import cv2
import numpy as np

from .poses import POSE_RULES, read_pose
from .silhouettes import Dropped, read_silhouette

CONFIDENT = 0.5
NEAR = 3 / 64  # of the height: how far beside the silhouette a joint may lie and still be on the person
MIN_ON_BODY = 0.5
CHECKED = 16  # frames of a sequence, at most


def count_on_body(images: np.ndarray, keypoints: np.ndarray, counts: Counter) -> None:
    """Add to ``counts`` the confident joints of some frames, and those of them on the person or near it.

    Args:
        images: (T, H, W) uint8.
        keypoints: (T, 17, 3) in pixels of ``images``, before any is filled in: those far outside count as missing it.
    """
    every = len(images) // CHECKED + 1
    images, keypoints = images[::every], keypoints[::every]
    height, width = images.shape[1:]
    reach = round(NEAR * height)
    kernel = np.ones((2 * reach + 1, 2 * reach + 1), np.uint8)
    sure = (keypoints[..., 2] >= CONFIDENT) & np.isfinite(keypoints).all(-1)
    xy = np.rint(np.where(sure[..., None], keypoints[..., :2], 0).clip(-1e6, 1e6)).astype(np.int64)
    inside = sure & (xy >= 0).all(-1) & (xy < (width, height)).all(-1)
    frame, joint = inside.nonzero()
    x, y = xy[frame, joint].T
    near = np.empty(images.shape, np.uint8)
    for image, dilated in zip(images, near, strict=True):
        cv2.dilate(image, kernel, dst=dilated)
    counts["joints confident"] += int(sure.sum())
    counts["joints on body"] += int((near[frame, y, x] > 0).sum())


def misaligned(total: Mapping[str, int], sequences: int) -> str | None:
    """Return what is wrong if most confident joints miss the body, or if no pose could be used at all."""
    unused = {key[6:].replace("_", " "): n for key, n in total.items() if key.startswith("poses ") and n}
    if total["frames"] and sum(unused.values()) == total["frames"]:
        why = ", ".join(f"{n} {rule}" for rule, n in unused.items())
        return (
            f"--poses: none of {total['frames']} frames in {sequences} sequences has a usable pose ({why}); pose "
            "files need the names of the silhouettes' files"
        )
    share = total["joints on body"] / max(total["joints confident"], 1)
    if not total["joints confident"] or share >= MIN_ON_BODY:
        return None
    return (
        f"only {share:.1%} of {total['joints confident']} confident joints in {sequences} sequences lie on "
        "the person: poses and silhouettes seem to be in different pixel frames; check that poses are in pixels of "
        "the very silhouette images (not of the whole video frame, of another crop or size, nor fractions) and of "
        "the same release. The sequences prepared so far were removed"
    )


def describe_first(silhouettes: Path, poses: Path, names: Iterable[str]) -> str:
    """Describe the first readable frame of some sequences and its pose file, for an error message."""
    for name in names:
        for path in sorted((silhouettes / name).glob("*.png")):
            try:
                height, width = read_silhouette(path).shape
            except Dropped:
                continue
            file = poses / name / f"{path.stem}.txt"
            pose, broken = read_pose(file)
            if pose is None:
                return f"; for example {file}: {POSE_RULES[broken]}"
            low, high = pose[:, :2].min(0), pose[:, :2].max(0)
            lead = ", ".join(file.read_text().replace(",", " ").split()[:2])
            return (
                f"; for example {name}/{path.stem}: image {width} wide and {height} high, pose file begins with "
                f"{lead}, joints from x {low[0]:g} to {high[0]:g} and y {low[1]:g} to {high[1]:g}"
            )
    return ""
