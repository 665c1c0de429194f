"""OpenGait's ready silhouette and pose pickles to one data set with two modalities: an APPROXIMATE alignment.

Exact keypoints need the raw images: use ``opengait-ext prepare`` if you have them. Here the silhouettes are
already cut and resized, the poses are still in raw pixels, and what happened between is guessed frame by frame:

* Vertically, the mean of the confident head joints (nose, eyes, ears) goes to 0.089 and the lower confident ankle to
  0.917 of the image's height S; the person fills that height.
* Horizontally, with the same scale, the mean of the confident shoulders and hips goes to the middle column.

On pedestrians whose exact keypoints are known this misses them by 1.1 pixels of 64 in the mean (95 % within 2.2).

Silhouettes are ``<id>/<type>/<view>/*.pkl``, uint8 (T, 64, 64 or 44), and are kept as they are; poses are (T, 17, 3) in
folders of the same names. The pose pickles carry no frame names and keep frames that the silhouettes dropped, so a
sequence of unequal length is skipped and reported. A frame without a confident (score at least 0.5) head joint, ankle
and torso joint counts as one whose joints are all absent; absent joints are filled in, the joints are checked to lie on
the people, and a stopped run goes on, all as in ``opengait_ext.data.prepare``.
"""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from plugins.errors import KpstraError
from plugins.keypoints.joints import CONFIDENT, JOINTS

from ..body import count_body, evenly
from ..layout import check_output, find_sequences
from ..safe_pickle import read_array
from .poses import fill_absent, place
from .report import summary
from .run import Written, run
from .sample import FRAMES, SEQUENCES, Sample
from .sequence import write_sequence

HEAD, ANKLES, TORSO = slice(0, 5), slice(15, 17), [5, 6, 11, 12]
HEAD_AT, ANKLE_AT = 0.089, 0.917  # of the height; means over the exact keypoints of 1089 real frames
SETTINGS = {"kind": "approximate, by body box"}


def body_box_placements(poses: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Guess where the silhouette pipeline put each frame.

    Args:
        poses: (T, 17, 3) x, y, score in raw pixels.
        size: height and width of the prepared image.

    Returns:
        (T, 4) scale x, scale y, offset x, offset y, as :class:`.silhouettes.Placement`; NaN where it cannot be told.
    """
    height, width = size
    sure = (poses[..., 2] >= CONFIDENT) & np.isfinite(poses).all(-1)
    x, y = (np.where(sure, poses[..., axis], np.nan) for axis in (0, 1))  # T, 17
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # the mean of no joints is NaN, and means "cannot be told"
        head, ankle = np.nanmean(y[:, HEAD], 1), np.nanmax(y[:, ANKLES], 1)
        torso = np.nanmean(x[:, TORSO], 1)
    upright = np.where(ankle > head, ankle - head, np.nan)
    scale = (ANKLE_AT - HEAD_AT) * height / upright
    placements = np.stack([scale, scale, width / 2 - torso * scale, HEAD_AT * height - head * scale], 1)
    placements[~np.isfinite(placements).all(1)] = np.nan
    return placements


def align_one(silhouettes: Path, poses: Path, output: Path, name: str) -> Written:
    """Align and write one sequence."""
    try:
        images, raw = read_two(silhouettes / name, poses / name)
    except KpstraError as error:
        return {"sequence": name, "frames": 0, "skipped": str(error)}, None
    counts, size = Counter(frames=len(images)), images.shape[1:]
    placements = body_box_placements(raw.astype(np.float64), size)
    counts["poses no_body_box"] = int(np.isnan(placements[:, 0]).sum())
    placed = place(raw.astype(np.float64), placements)
    count_body(images, placed, counts)
    keypoints, counts["joints absent"] = fill_absent(placed, size)
    return {"sequence": name, **counts}, write_sequence(output, name, images, keypoints)


def align_frame(image: np.ndarray, joints: np.ndarray) -> np.ndarray:
    """Guess where the joints (17, 3) of one frame are in its silhouette (H, W); NaN where it cannot be told."""
    return place(joints[None], body_box_placements(joints[None], image.shape))[0]


def pickle_sample(silhouettes: Path, poses: Path, names: Sequence[str]) -> Sample:
    """Read a sample of OpenGait's pickles."""
    chosen = evenly(names, SEQUENCES)
    sample = Sample(len(chosen), then=align_frame)
    for name in chosen:
        try:
            images, raw = read_two(silhouettes / name, poses / name)
        except KpstraError as error:
            sample.example = sample.example or f"; for example {name}: {error}"
            continue
        for frame in evenly(range(len(images)), FRAMES):
            joints = raw[frame].astype(np.float64)
            sample.add(
                images[frame], joints, "no_body_box" if np.isnan(align_frame(images[frame], joints)).all() else ""
            )
    return sample


def read_two(silhouettes: Path, poses: Path) -> tuple[np.ndarray, np.ndarray]:
    """Read silhouettes uint8 (T, H, W) and poses (T, 17, 3) of one sequence."""
    images, raw = read_only(silhouettes), read_only(poses)
    if images.ndim != 3 or images.dtype != np.uint8:
        raise KpstraError(f"silhouettes: {images.dtype} {images.shape}, expected uint8 (T, H, W)")
    if raw.shape[1:] != (JOINTS, 3):
        raise KpstraError(f"poses: {raw.shape}, expected (T, {JOINTS}, 3), COCO's joints with scores")
    if len(images) != len(raw):
        raise KpstraError(f"unequal length: {len(images)} silhouettes, {len(raw)} poses")
    return images, raw


def read_only(folder: Path) -> np.ndarray:
    """Read the one pickle of a folder."""
    files = sorted(folder.glob("*.pkl"))
    if len(files) != 1:
        raise KpstraError(f"{folder}: {len(files)} .pkl files, expected one")
    return read_array(files[0])


def prepare_pickles(
    silhouettes: str | Path, poses: str | Path, output: str | Path, workers: int | None = None
) -> dict[str, Any]:
    """Join OpenGait's silhouette and pose pickles into one data set, approximately; return the report.

    Args:
        silhouettes: folder of ``<id>/<type>/<view>/*.pkl``, each uint8 (T, H, W).
        poses: folder of ``<id>/<type>/<view>/*.pkl``, each (T, 17, 3) in raw pixels.
        output: a new folder, or that of an earlier run, which is then continued.
        workers: processes; by default one for each core.

    Raises:
        KpstraError: wrong folders, or joints that mostly miss the body.
    """
    silhouettes, poses, output = Path(silhouettes), Path(poses), Path(output)
    names = find_sequences(silhouettes, ".pkl", "--silhouettes")
    strays = set(find_sequences(poses, ".pkl", "--poses")).difference(names)
    check_output(output, {"--silhouettes": silhouettes, "--poses": poses})
    work = partial(align_one, silhouettes, poses, output)
    sample = pickle_sample(silhouettes, poses, names)
    sample.check()
    report = run(names, work, output, SETTINGS, workers, strays=len(strays), sample=sample)
    print(summary(report, output))
    return report
