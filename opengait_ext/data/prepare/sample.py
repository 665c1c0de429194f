"""A look at some frames before an hour of work: do silhouettes and poses belong together, and if not, why?"""

from __future__ import annotations

import math
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from plugins.errors import KpstraError
from plugins.keypoints.joints import JOINT_SETS, JOINTS

from ..body import HARDLY, WELL, Verdict, count_body, evenly, judge
from ..causes import Frame, likely_cause
from ..pixels import count_pixels, judge_pixels
from .body_box import align_frame
from .layouts import GAIT3D, RawLayout
from .poses import POSE_RULES, VALUES, pose_values, read_pose
from .sequence import images_of
from .silhouettes import MIN_SUM, Dropped, align_silhouette, mask_in_alpha, read_silhouette

SEQUENCES, FRAMES = 20, 8
ALPHA = "the person is in the pictures' alpha channel, which is not read; write it as grey PNGs, white on black"


@dataclass
class Sample:
    """Some frames of a data set in the pixels of their silhouettes, and the counts of what they show.

    Args:
        sequences: how many they are from.
        then: where joints go after a mistake in them is undone, if not where they are.
        pictures: what is to be said about the picture files themselves if anything is wrong.
        example: one frame in words.
    """

    sequences: int
    then: Callable[[np.ndarray, np.ndarray], np.ndarray] = lambda image, joints: joints
    frames: list[Frame] = field(default_factory=list)
    counts: Counter = field(default_factory=Counter)
    pictures: str = ""
    example: str = ""

    def add(self, image: np.ndarray, joints: np.ndarray | None, broken: str = "", exact: bool = False) -> None:
        """Add a silhouette (H, W) and its joints (17, 3), or the rule by which there are none or they do not count.

        Joints that do not count may show the likely cause all the same. With ``exact`` the joints lie in the
        silhouette's pixels whatever others do.
        """
        self.counts["frames"] += 1
        count_pixels(image[None], self.counts)
        if broken in POSE_RULES:
            self.counts[f"poses {broken}"] += 1
            self.frames += [] if joints is None else [(image, joints)]
            return
        if exact:
            count_body(image[None], joints[None], self.counts)
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
            raise KpstraError(
                f"none of {self.sequences} sequences looked at has a usable frame{self.pictures}{self.example}"
            )
        wrong = [verdict for verdict in findings(self.counts) if not verdict.well]
        if not wrong:
            return
        cause = likely_cause(self.frames, self.then)
        said = "; ".join(verdict.what for verdict in wrong)
        line = f"{said}, in {self.sequences} sequences looked at{self.pictures or cause.what}"
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
        what = f"frames with a usable pose: {share:.1%} of {total['frames']} ({why})"
        yield Verdict(what, share >= WELL, share < HARDLY)
    yield from judge(total)


def raw_sample(silhouettes: Path, poses: Path, names: Sequence[str], size: int, layout: RawLayout) -> Sample:
    """Read a sample of a raw release."""
    chosen = evenly(names, SEQUENCES)
    sample = Sample(len(chosen)) if layout.exact else Sample(len(chosen), then=align_frame)
    for name in chosen:
        folder, entries = layout.images(silhouettes, name), layout.poses(poses, name)
        for file in evenly(images_of(folder), FRAMES):
            if not sample.frames and mask_in_alpha(folder / file):
                sample.pictures = f"; {ALPHA}"
            try:
                image = read_silhouette(folder / file)
                if image.max() != 1 and image.sum() <= MIN_SUM:
                    continue
                shown = image if layout.exact else _prepared(image, size)
            except Dropped:
                continue
            stem = Path(file).stem
            if layout is GAIT3D:
                sample.example = sample.example or describe(f"{name}/{stem}", image, poses / name / f"{stem}.txt")
            pose, rule = layout.pose(entries.get(stem), image)
            sample.add(shown, pose, rule)
            sample.example = sample.example or _described(f"{name}/{stem}", image, pose, rule)
    return sample


def _prepared(image: np.ndarray, size: int) -> np.ndarray:
    out = np.empty((size, size), np.uint8)
    align_silhouette(image, out)
    return out


def _described(name: str, image: np.ndarray, pose: np.ndarray | None, rule: str) -> str:
    """A frame of which only the joints are known, for an error message."""
    shape = f"; for example {name}: image {image.shape[1]} wide and {image.shape[0]} high"
    return f"{shape}, {POSE_RULES[rule]}" if pose is None else f"{shape}, {_spread(pose)}"


def _spread(pose: np.ndarray) -> str:
    low, high = pose[:, :2].min(0), pose[:, :2].max(0)
    return f"joints from x {low[0]:g} to {high[0]:g} and y {low[1]:g} to {high[1]:g}"


def describe(name: str, image: np.ndarray, path: Path) -> str:
    """Describe a frame and its pose file, for an error message."""
    pose, broken = read_pose(path)
    if pose is None:
        return f"; for example {path}: {POSE_RULES[broken]}{_count(path) if broken == 'broken' else ''}"
    lead = b", ".join(pose_values(path)[:2]).decode()
    return (
        f"; for example {name}: image {image.shape[1]} wide and {image.shape[0]} high, pose file begins with "
        f"{lead}, {_spread(pose)}"
    )


def _count(path: Path) -> str:
    """How many values a broken pose file has, and of which joint set that many would be; or the value that is none."""
    found = pose_values(path) if path.is_file() else []
    values = len(found)
    joints, rest = divmod(values - 2, 3)
    if values == VALUES:
        return next(f": value {i} of {values} is {_text(one)}" for i, one in enumerate(found, 1) if not _finite(one))
    if values == 3 * JOINTS:
        return f": {values} values, the two in front, width and height, are missing"
    if not rest and joints in JOINT_SETS:
        return f": {values} values, as of {JOINT_SETS[joints].name} joints; COCO's {JOINTS} are needed"
    return f": {values} values, expected {VALUES}"


def _finite(value: bytes) -> bool:
    try:
        return math.isfinite(float(value))
    except ValueError:
        return False


def _text(value: bytes) -> str:
    return repr(value[:20].decode(errors="replace"))
