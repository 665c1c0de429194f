"""Testing checkpoints at every point: torchreid's test, on crops that are misaligned as they are read."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
from PIL import Image
from torch.utils.data import DataLoader, Dataset
from tqdm import tqdm
from yacs.config import CfgNode

from plugins.benchmarks.robustness import CheckpointRun, Disturbance, Point
from plugins.benchmarks.robustness.store import digest, digests
from plugins.errors import KpstraError

from ...data.datasets import check_datasets
from ...data.images import read_image
from ...data.keypoints import size_of
from ...host import torchreid
from ...settings.evaluation import evaluation_settings
from ...settings.load import engine_run_kwargs, load_config
from ...settings.options import opts
from ...training.checkpoints import load_checkpoint
from ...training.console import quiet
from ...training.run import prepare
from .disturb import CropErrors

NAMED = 2  # last parts of an image's path that name it: folder and file


class ChangedCrops(Dataset):
    """One of torchreid's data sets, whose images are changed before they are transformed; the rest is its own."""

    def __init__(self, dataset: Any) -> None:
        self.dataset = dataset

    def __len__(self) -> int:
        return len(self.dataset)

    def __getattr__(self, name: str) -> Any:
        if name == "dataset":  # not yet there while a worker process restores this
            raise AttributeError(name)
        return getattr(self.dataset, name)


class MisalignedCrops(ChangedCrops):
    """Images are disturbed, and joints with them; ``what`` and ``seed`` say how."""

    def __init__(self, dataset: Any) -> None:
        super().__init__(dataset)
        self.what, self.seed = Disturbance(), 0

    def __getitem__(self, index: int) -> dict[str, Any]:
        """Return the host's item of the disturbed image."""
        if self.what == Disturbance():
            return self.dataset[index]
        path = self.dataset.data[index][0]
        errors = CropErrors.draw(size_of(path), self.what, self.seed, "/".join(Path(path).parts[-NAMED:]))
        given = getattr(self.dataset, "keypoints", None)
        joints = None if given is None else errors.joints(given[path])
        return item_of(self.dataset, index, errors.image(np.asarray(read_image(path))), joints)


def item_of(dataset: Any, index: int, image: np.ndarray, joints: np.ndarray | None) -> dict[str, Any]:
    """Return a data set's item as if its file held ``image`` (H, W, 3) uint8, and its keypoints were ``joints``."""
    path, module = dataset.data[index][0], torchreid.data.datasets.dataset
    moved = None if joints is None else {path: joints}
    reading = patch.object(module, "read_image", lambda _: Image.fromarray(image))
    with reading, patch.object(dataset, "keypoints", moved, create=True):
        return dataset[index]


class OpenRun:
    """A checkpoint in torchreid's engine, ready to be tested under errors.

    Args:
        run: the checkpoint.
        root: holds the data sets; empty for the configuration's.
        overrides: settings, ``key=value``.
        queries_only: leave the gallery as it is.

    Raises:
        KpstraError: a mistake in the settings, the checkpoint or the data.
    """

    crops_of: Callable[[Any], ChangedCrops] = MisalignedCrops

    def __init__(self, run: CheckpointRun, root: str, overrides: Sequence[str], queries_only: bool) -> None:
        self.run = run
        test = ["test.evaluate=True", "test.visrank=False", f"model.load_weights={run.checkpoint}"]
        self.cfg = load_config(run.config, opts([*overrides, *test]), root)
        if self.cfg.data.type != "image":
            raise KpstraError(
                f"--checkpoint {run.label}: data.type: {self.cfg.data.type}: robustness tests crops; give a "
                "configuration of an image data set"
            )
        try:
            load_checkpoint(run.checkpoint)
        except KpstraError as error:
            raise KpstraError(f"--checkpoint {run.label}: {error}") from error
        check_datasets(self.cfg)
        with quiet():
            self.engine = prepare(self.cfg)
        self.crops, self.images = [], 0
        for splits in self.engine.test_loader.values():
            for part, loader in splits.items():
                self.images += len(loader.dataset)
                if part == "query" or not queries_only:
                    crops = self.crops_of(loader.dataset)
                    self.crops.append(crops)
                    splits[part] = DataLoader(
                        crops, loader.batch_size, num_workers=loader.num_workers, pin_memory=loader.pin_memory
                    )

    def measure(
        self, todo: Sequence[Point], bar: tqdm, joint_noise: float, joint_dropout: float
    ) -> Iterator[tuple[Point, dict[str, float]]]:
        """Test at points; yield each with its metrics in percent, of several targets with the target's name first."""
        counter = self.engine.model.register_forward_pre_hook(lambda _, given: bar.update(len(given[0])) and None)
        try:
            for point in todo:
                for crops in self.crops:
                    crops.what, crops.seed = point.disturbance(joint_noise, joint_dropout), point.seed
                bar.set_postfix_str(f"{point.error} {point.severity:g}", refresh=False)
                yield point, self.test()
        finally:
            counter.remove()

    def test(self) -> dict[str, float]:
        """Test once; return the metrics in percent, of several targets with the target's name first."""
        with quiet():
            self.engine.run(**{**engine_run_kwargs(self.cfg), "save_dir": ""})
        measured = self.engine.results().metrics
        return {
            name if len(measured) == 1 else f"{target} {name}": round(value * 100, 4)
            for target, values in measured.items()
            for name, value in values.items()
        }


def record(run: CheckpointRun, cfg: CfgNode) -> dict[str, Any]:
    """Return what identifies a run: its weights, its network, and how it is tested on what."""
    return {
        "checkpoint": Path(run.checkpoint).name,
        "sha256": digest(run.checkpoint),
        "files": digests(keypoints=cfg.data.keypoints, keypoints_targets=cfg.data.keypoints_targets),
        **evaluation_settings(cfg),
    }
