"""A look at some frames before an hour of work: do silhouettes and poses belong together, and if not, why?"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from plugins.errors import KpstraError
from plugins.keypoints.joints import JOINT_SETS, JOINTS

from ..body import WELL, Verdict, count_body, evenly, judge
from ..causes import Frame, likely_cause
from ..pixels import count_pixels, judge_pixels
from .poses import POSE_RULES, VALUES, read_pose
from .sequence import images_of
from .silhouettes import MIN_SUM, Dropped, read_silhouette

SEQUENCES, FRAMES = 20, 8


@dataclass
class Sample:
    """Some frames of a data set in the pixels of their silhouettes, and the counts of what they show.

    Args:
        sequences: how many they are from.
        then: where joints go after a mistake in them is undone, if not where they are.
    """

    sequences: int
    then: Callable[[np.ndarray, np.ndarray], np.ndarray] = lambda image, joints: joints
    frames: list[Frame] = field(default_factory=list)
    counts: Counter = field(default_factory=Counter)
    example: str = ""

    def add(self, image: np.ndarray, joints: np.ndarray | None, broken: str = "") -> None:
        """Add a silhouette (H, W) and its joints (17, 3), or ``None`` and the rule by which there are none."""
        self.counts["frames"] += 1
        count_pixels(image[None], self.counts)
        if joints is None:
            self.counts[f"poses {broken}"] += 1
            return
        self.frames.append((image, joints))
        placed = self.then(image, joints)
        if np.isnan(placed[:, :2]).all():
            self.counts["poses no_body_box"] += 1
        else:
            count_body(image[None], placed[None], self.counts)

    def check(self) -> None:
        """Refuse what is too bad to begin with, and print on standard error what is doubtful.

        Raises:
            KpstraError: names the likely cause and an example.
        """
        if not self.counts["frames"]:
            raise KpstraError(f"none of {self.sequences} sequences looked at has a usable frame{self.example}")
        wrong = [verdict for verdict in findings(self.counts) if not verdict.well]
        if not wrong:
            return
        cause = likely_cause(self.frames, self.then)
        line = f"{'; '.join(verdict.what for verdict in wrong)}, in {self.sequences} sequences looked at{cause.what}"
        if cause.found or any(verdict.stops for verdict in wrong):
            raise KpstraError(line + self.example)
        print(f"warning: {line}", file=sys.stderr)

    def refuse(self, total: Mapping[str, int], sequences: int) -> None:
        """Refuse what is too bad in all that was prepared.

        Raises:
            KpstraError: as :meth:`check`.
        """
        if wrong := [verdict.what for verdict in findings(total) if verdict.stops]:
            raise KpstraError(
                f"{'; '.join(wrong)}, in {sequences} sequences; those prepared so far were removed"
                f"{likely_cause(self.frames, self.then).what}{self.example}"
            )


def findings(total: Mapping[str, int]) -> Iterator[Verdict]:
    """Yield what sums of counts say about silhouettes, poses and joints."""
    yield from judge_pixels(total)
    unused = {key[6:].replace("_", " "): n for key, n in total.items() if key.startswith("poses ") and n}
    if total["frames"]:
        share = 1 - sum(unused.values()) / total["frames"]
        why = ", ".join(f"{n} {rule}" for rule, n in unused.items()) or "none without"
        yield Verdict(f"frames with a usable pose: {share:.1%} of {total['frames']} ({why})", share >= WELL, share == 0)
    yield from judge(total)


def raw_sample(silhouettes: Path, poses: Path, names: Sequence[str]) -> Sample:
    """Read a sample of Gait3D's raw release."""
    chosen = evenly(names, SEQUENCES)
    sample = Sample(len(chosen))
    for name in chosen:
        for file in evenly(images_of(silhouettes / name), FRAMES):
            try:
                image = read_silhouette(silhouettes / name / file)
            except Dropped:
                continue
            if image.max() > 1 and image.sum() <= MIN_SUM:
                continue
            path = poses / name / f"{Path(file).stem}.txt"
            sample.add(image, *read_pose(path, image.shape[::-1]))
            sample.example = sample.example or describe(f"{name}/{Path(file).stem}", image, path)
    return sample


def describe(name: str, image: np.ndarray, path: Path) -> str:
    """Describe a frame and its pose file, for an error message."""
    pose, broken = read_pose(path)
    if pose is None:
        return f"; for example {path}: {POSE_RULES[broken]}{_count(path) if broken == 'broken' else ''}"
    low, high = pose[:, :2].min(0), pose[:, :2].max(0)
    lead = ", ".join(path.read_text().replace(",", " ").split()[:2])
    return (
        f"; for example {name}: image {image.shape[1]} wide and {image.shape[0]} high, pose file begins with "
        f"{lead}, joints from x {low[0]:g} to {high[0]:g} and y {low[1]:g} to {high[1]:g}"
    )


def _count(path: Path) -> str:
    """How many values a broken pose file has, and of which joint set that many would be."""
    values = len(path.read_bytes().replace(b",", b" ").split()) if path.is_file() else 0
    joints, rest = divmod(values - 2, 3)
    if values == 3 * JOINTS:
        return f": {values} values, the two in front, width and height, are missing"
    if not rest and joints in JOINT_SETS:
        return f": {values} values, as of {JOINT_SETS[joints].name} joints; COCO's {JOINTS} are needed"
    return f": {values} values, expected {VALUES}"
