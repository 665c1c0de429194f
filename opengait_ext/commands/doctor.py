"""``opengait-ext doctor``: what is installed, which host and device, and whether a data set is fit."""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import os
import platform
import random
import subprocess
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from plugins.common.cli import command
from plugins.errors import KpstraError

from ..data.joint_transform import build_joint_transform
from ..data.safe_pickle import read_array
from ..host.find import COMMIT, Host, find_host
from ..pictures.overlay import draw_sheet

PACKAGES = (
    "torch",
    "torchvision",
    "numpy",
    "opencv-python-headless",
    "PyYAML",
    "tqdm",
    "tensorboard",
    "einops",
    "kornia",
)
PUBLISHED = {"Gait3D": {"training identities": 3000, "test identities": 1000, "probe sequences": 1000}}
AUGMENTATION = [
    {"type": "RandomPerspective", "prob": 1.0},
    {"type": "BaseSilCuttingTransform", "divsor": 1},
    {"type": "RandomHorizontalFlip", "prob": 0.5},
    {"type": "RandomRotate", "prob": 1.0},
]
ON_BODY = 3  # pixels of 64 that a joint may lie beside the silhouette
SHEET = 8


@command("opengait-ext doctor")
def main(argv: Sequence[str] | None = None) -> int:
    """Check and report; return 0 if all is well, 1 if a check failed, 2 for a mistake in the arguments."""
    parser = argparse.ArgumentParser(prog="opengait-ext doctor", description=__doc__)
    parser.add_argument("--data", metavar="FOLDER", help="a prepared data set: <id>/<type>/<view>/*.pkl")
    parser.add_argument("--partition", metavar="JSON", help="its TRAIN_SET, TEST_SET and PROBE_SET")
    parser.add_argument("--published", choices=PUBLISHED, help="compare the counts with this data set's published ones")
    parser.add_argument("--sheet", default="overlay.png", metavar="PNG", help="where the overlay sheet goes")
    parser.add_argument("--host", default="auto", metavar="auto|opengait|embedded|PATH")
    args = parser.parse_args(argv)
    lines = [*installation(), *describe_host(find_host(args.host)), *devices()]
    if args.data:
        lines += dataset(Path(args.data), args.partition and Path(args.partition), args.published)
        print(f"overlay sheet: {overlay_sheet(Path(args.data), AUGMENTATION, Path(args.sheet))}")
    for good, what in lines:
        print(f"{'ok  ' if good else 'LOOK'}  {what}")
    return 0 if all(good for good, _ in lines) else 1


Line = tuple[bool, str]


def installation() -> list[Line]:
    """Versions of what a run imports."""
    lines = [(sys.version_info >= (3, 10), f"Python {platform.python_version()}")]
    for name in PACKAGES:
        try:
            lines.append((True, f"{name} {importlib.metadata.version(name)}"))
        except importlib.metadata.PackageNotFoundError:
            only_opengait = name in ("einops", "kornia")
            needed = "needed by an OpenGait checkout only" if only_opengait else "needed"
            lines.append((only_opengait, f"{name}: not installed ({needed})"))
    return lines


def describe_host(host: Host) -> list[Line]:
    """Which host a run would take, and whether it is the tested commit."""
    if host.kind == "embedded":
        return [(True, f"host: {host}")]
    done = subprocess.run(["git", "-C", str(host.root), "rev-parse", "HEAD"], capture_output=True, text=True)
    commit = done.stdout.strip() or "unknown"
    return [(commit == COMMIT, f"host: {host}, commit {commit[:7]} (tested with {COMMIT[:7]})")]


def devices() -> list[Line]:
    """CUDA devices, or the CPU."""
    import torch

    names = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
    return [(True, f"device: {', '.join(names) or 'CPU'}; {os.cpu_count()} cores")]


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


def dataset(root: Path, partition: Path | None, published: str | None) -> list[Line]:
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


def counts(root: Path, partition: Path, published: str | None, names: set[str]) -> list[Line]:
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


def overlay_sheet(root: Path, augmentation: Sequence[Mapping], path: Path, seed: int = 0) -> Path:
    """Draw sequences with their joints: each frame as prepared, then three draws of the augmentation."""
    pairs = [(name, files) for name, files in listing(root) if len(files) == 2]
    if not pairs:
        raise KpstraError(f"--data {root}: no sequence has silhouettes and keypoints")
    steps = [
        {**step, "divsor": 1} if "Cutting" in step["type"] else {**step, "prob": 1.0} if "prob" in step else step
        for step in augmentation
    ]
    joint, state = build_joint_transform(steps, "augmentation"), random.getstate()
    random.seed(seed)
    panels = []
    for name, files in pairs[:: max(1, len(pairs) // SHEET)][:SHEET]:
        silhouettes, keypoints = read_array(files[0])[:1], read_array(files[1])[:1]
        panels.append((name, silhouettes[0], keypoints[0]))
        for draw in range(3):
            moved = joint(silhouettes, keypoints)
            panels.append((f"augmented {draw}", moved[0][0].astype(np.uint8), moved[1][0]))
    random.setstate(state)
    draw_sheet(panels, path)
    return path


if __name__ == "__main__":
    sys.exit(main())
