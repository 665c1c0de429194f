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

from collections import Counter
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from plugins.errors import KpstraError

from ..body import count_body, evenly
from ..layout import check_output, find_sequences
from .body_box import align_frame, body_box_placements
from .layouts import LAYOUTS, PickledLayout
from .layouts.pickled import PLAIN
from .poses import fill_absent, place
from .report import summary
from .run import Written, run
from .sample import FRAMES, SEQUENCES, Sample
from .sequence import write_sequence
from .source import pickled_source


def align_one(silhouettes: Path, poses: Path, output: Path, name: str, layout: str = PLAIN.name) -> Written:
    """Align and write one sequence."""
    arrays = LAYOUTS.get(layout, PLAIN).arrays
    try:
        images, raw, exact = arrays(silhouettes / name, poses / name)
    except KpstraError as error:
        return {"sequence": name, "frames": 0, "skipped": str(error)}, None
    counts, size = Counter(frames=len(images)), images.shape[1:]
    placed = raw
    if not exact:
        placements = body_box_placements(raw, size)
        counts["poses no_body_box"] = int(np.isnan(placements[:, 0]).sum())
        counts["by body box"] = 1
        placed = place(raw, placements)
    count_body(images, placed, counts)
    keypoints, counts["joints absent"] = fill_absent(placed, size)
    return {"sequence": name, **counts}, write_sequence(output, name, images, keypoints)


def pickle_sample(silhouettes: Path, poses: Path, names: Sequence[str], layout: PickledLayout) -> Sample:
    """Read a sample of ready pickles."""
    chosen = evenly(names, SEQUENCES)
    sample = Sample(len(chosen), then=align_frame)
    for name in chosen:
        try:
            images, raw, exact = layout.arrays(silhouettes / name, poses / name)
        except KpstraError as error:
            sample.example = sample.example or f"; for example {name}: {error}"
            continue
        for frame in evenly(range(len(images)), FRAMES):
            sample.add(images[frame], raw[frame], exact=exact)
    return sample


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
    return prepare_pickled(Path(silhouettes), Path(poses), Path(output), workers, PLAIN)


def prepare_pickled(
    silhouettes: Path, poses: Path, output: Path, workers: int | None, layout: PickledLayout
) -> dict[str, Any]:
    """Join arrays of silhouettes and of poses of a layout into one data set; return the report."""
    names = find_sequences(silhouettes, ".pkl", "--silhouettes")
    strays = set(find_sequences(poses, ".pkl", "--poses")).difference(names)
    check_output(output, {"--silhouettes": silhouettes, "--poses": poses})
    work = partial(align_one, silhouettes, poses, output, layout=layout.name)
    sample = pickle_sample(silhouettes, poses, names, layout)
    sample.check()
    settings = {"kind": layout.kind, **({} if layout is PLAIN else {"layout": layout.name})}
    source = partial(pickled_source, silhouettes, poses)
    report = run(names, work, source, output, settings, workers, strays=len(strays), sample=sample)
    print(summary(report, output))
    return report
