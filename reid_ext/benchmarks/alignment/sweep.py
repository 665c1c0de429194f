"""Checkpoints tested on the way from detected to aligned faces."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from tqdm import tqdm

from plugins.benchmarks.robustness.store import Store
from plugins.benchmarks.robustness.sweep import CheckpointRun, Point, numbered
from plugins.common.folders import claim
from plugins.errors import KpstraError
from plugins.keypoints.joints import FIVE_POINTS
from plugins.landmarks.align import ALIGNED

from ...data.images import read_image
from ...settings.load import default_values
from ...training.console import run_log
from ..leaderboard import versions
from ..robustness.sweep import ChangedCrops, OpenRun, item_of, record
from .report import write
from .warp import aligned_crop

KIND = "alignment"


class PartlyAligned(ChangedCrops):
    """Faces with landmarks, whose crops are aligned to a share of ``progress``; ``side`` is the network's image's."""

    def __init__(self, dataset: Any) -> None:
        super().__init__(dataset)
        self.progress, self.side = 0.0, ALIGNED

    def __getitem__(self, index: int) -> dict[str, Any]:
        """Return the host's item of the partly aligned face."""
        path = self.dataset.data[index][0]
        try:
            crop, landmarks = aligned_crop(
                np.asarray(read_image(path)), self.dataset.keypoints[path], self.side, self.progress
            )
        except KpstraError as error:
            raise KpstraError(f"{path}: {error}") from error
        return item_of(self.dataset, index, crop, landmarks)


class AlignedRun(OpenRun):
    """A checkpoint in torchreid's engine, ready to be tested on partly aligned faces.

    Raises:
        KpstraError: a mistake in the settings, the checkpoint or the data, no landmarks, or images that are not square.
    """

    crops_of = PartlyAligned

    def __init__(self, run: CheckpointRun, root: str, overrides: Sequence[str]) -> None:
        super().__init__(run, root, overrides, queries_only=False)
        height, width = self.cfg.data.height, self.cfg.data.width
        if height != width:
            raise KpstraError(
                f"--checkpoint {run.label}: data.height {height}, data.width {width}: expected square ones"
            )
        for crops in self.crops:
            keypoints = getattr(crops.dataset, "keypoints", None)
            path = crops.dataset.data[0][0]
            if keypoints is None or keypoints[path].shape[0] != FIVE_POINTS:
                raise KpstraError("data.keypoints: alignment needs a face's five landmarks; give a file that has them")
            crops.side = height

    def without_landmarks(self) -> int:
        """Return how many images have not all five landmarks, and stay as the detector has them."""
        sets = [crops.dataset for crops in self.crops]
        return sum(bool((one.keypoints[path][:, 2] <= 0).any()) for one in sets for path, *_ in one.data)

    def at(self, todo: Sequence[Point]) -> Iterator[tuple[Point, dict[str, float]]]:
        """Test at points, whose severity is the share of the way; yield each with its metrics in percent."""
        for point in todo:
            for crops in self.crops:
                crops.progress = point.severity
            yield point, self.test()


def evaluate(options: argparse.Namespace) -> None:
    """Test what is not tested yet, then write table and picture.

    Args:
        options: of the command, see ``reid-ext alignment --help``.

    Raises:
        KpstraError: any mistake in the options, the settings, the checkpoints or the data.
    """
    runs = numbered([CheckpointRun.of(text) for text in options.runs])
    if options.steps < 2:
        raise KpstraError(f"--steps {options.steps}: expected 2 or more, the detected and the aligned face")
    wanted = [Point(KIND, float(t), 0) for t in np.linspace(0, 1, options.steps).round(6)]
    with run_log():
        opened = [AlignedRun(one, options.root, options.overrides) for one in runs]
        with claim(options.output, {"benchmark": KIND}, alone=True):
            store = Store(options.output, KIND)
            for one in opened:
                store.claim(one.run.key, record(one.run, one.cfg), default_values())
            todo = [[p for p in wanted if store.find(one.run.key, p) is None] for one in opened]
            if any(todo):
                store.made_by(options.command_line, versions())
            with tqdm(total=sum(map(len, todo)), desc="Testing", unit="test", disable=None) as bar:
                for one, left in zip(opened, todo, strict=True):
                    for point, metrics in one.at(left):
                        store.put(one.run.key, point, metrics)
                        bar.update()
            measured = {
                one.run.key: {point.severity: store.find(one.run.key, point) for point in wanted} for one in opened
            }
            for line in write(options.output, measured, [one.run for one in opened], options.metrics):
                print(line)
            if missing := max(one.without_landmarks() for one in opened):
                print(f"Note: {missing} images without all five landmarks stay as the detector has them")
