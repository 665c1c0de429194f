"""Whether a prepared data set is fit: sequences, files, joints, partition. Each finding is (is it well, what)."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from plugins.errors import KpstraError

from .safe_pickle import read_array

PUBLISHED = {"Gait3D": {"training identities": 3000, "test identities": 1000, "probe sequences": 1000}}
ON_BODY = 3  # pixels of 64 that a joint may lie beside the silhouette

Finding = tuple[bool, str]


def sequences(root: Path) -> list[tuple[str, np.ndarray, np.ndarray]]:
    """Read (name, silhouettes, keypoints) of every sequence of a prepared data set, in the order of names."""
    return [(name, *pair) for name, pair in ((n, read_pair(files)) for n, files in listing(root)) if pair]


def listing(root: Path) -> list[tuple[str, list[Path]]]:
    """Return (id-type-view, files) of every sequence."""
    if not root.is_dir():
        raise KpstraError(f"--data {root}: no such folder; make it with `opengait-ext prepare`")
    folders = sorted(p for p in root.glob("[!.]*/*/*") if p.is_dir())
    if not folders:
        raise KpstraError(f"--data {root}: no sequences; expected <id>/<type>/<view>/*.pkl")
    return [("-".join(folder.parts[-3:]), sorted(folder.glob("*.pkl"))) for folder in folders]


def read_pair(files: Sequence[Path]) -> tuple[np.ndarray, np.ndarray] | None:
    """Read silhouettes and keypoints, or ``None`` for a sequence without both."""
    return (read_array(files[0]), read_array(files[1])) if len(files) == 2 else None


def inspect_dataset(root: Path, partition: Path | None, published: str | None) -> list[Finding]:
    """Counts, modalities, frame counts, and joints on the body."""
    listed = listing(root)
    modalities = Counter(len(files) for _, files in listed)
    lines = [
        (
            len(modalities) == 1,
            f"{len(listed)} sequences; files in each: "
            + ", ".join(f"{n} in {count}" for n, count in modalities.most_common()),
        )
    ]
    frames, unequal, broken, hits, joints = 0, [], [], 0, 0
    for name, files in listed:
        try:
            pair = read_pair(files)
        except KpstraError as error:
            broken.append(str(error))
            continue
        if pair is None:
            continue
        silhouettes, keypoints = pair
        frames += len(silhouettes)
        if len(silhouettes) != len(keypoints) or not np.isfinite(keypoints).all():
            unequal.append(name)
            continue
        on, sure = on_body(silhouettes, keypoints)
        hits, joints = hits + on, joints + sure
    lines.append((not broken, f"{frames} frames; unreadable files: {len(broken)}{': ' + broken[0] if broken else ''}"))
    if modalities.keys() >= {2}:
        which = ", ".join(unequal[:5]) or "none"
        lines.append((not unequal, f"modalities of unequal length, or keypoints not finite: {which}"))
        share = hits / max(joints, 1)
        lines.append((share > 0.5, f"confident joints on the body: {share:.1%} of {joints}"))
    if partition:
        lines += counts(root, partition, published, {name for name, _ in listed})
    return lines


def on_body(silhouettes: np.ndarray, keypoints: np.ndarray) -> tuple[int, int]:
    """Count the confident joints (score at least 0.5) on the silhouette or within 3 pixels, and all of them."""
    kernel = np.ones((2 * ON_BODY + 1,) * 2, np.uint8)
    near = np.stack([cv2.dilate(np.ascontiguousarray(frame), kernel) for frame in silhouettes]) > 0
    sure = keypoints[..., 2] >= 0.5
    height, width = silhouettes.shape[1:]
    x, y = (np.round(keypoints[..., axis]).astype(int) for axis in (0, 1))
    inside = sure & (x >= 0) & (x < width) & (y >= 0) & (y < height)
    frame = np.broadcast_to(np.arange(len(silhouettes))[:, None], x.shape)
    return int(near[frame[inside], y[inside], x[inside]].sum()), int(sure.sum())


def counts(root: Path, partition: Path, published: str | None, names: set[str]) -> list[Finding]:
    """Compare the data with its partition, and with the published counts."""
    try:
        sets: Mapping[str, Any] = json.loads(partition.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise KpstraError(f"--partition {partition}: {error}") from error
    there = {name.split("-")[0] for name in names}
    found = {
        "training identities": len(there & set(sets.get("TRAIN_SET", ()))),
        "test identities": len(there & set(sets.get("TEST_SET", ()))),
        "probe sequences": len(names & set(sets.get("PROBE_SET", ()))),
    }
    listed = dict(zip(found, (len(sets.get(key, ())) for key in ("TRAIN_SET", "TEST_SET", "PROBE_SET")), strict=True))
    lines = [(n == listed[what], f"{what}: {n} of the {listed[what]} in {partition.name}") for what, n in found.items()]
    for what, expected in PUBLISHED.get(published, {}).items():
        lines.append((found[what] == expected, f"{what}: {found[what]}, {published} has {expected}"))
    both = set(sets.get("TRAIN_SET", ())) & set(sets.get("TEST_SET", ()))
    lines.append((not both, f"identities both in TRAIN_SET and TEST_SET: {', '.join(sorted(both)[:5]) or 'none'}"))
    return lines
