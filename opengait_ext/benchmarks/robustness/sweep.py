"""Testing checkpoints at every point: the host's test, on test sequences that are misaligned as they are read."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from torch import distributed, nn
from torch.utils.data import DataLoader
from tqdm import tqdm

from plugins.benchmarks.robustness import CheckpointRun, Disturbance, Point
from plugins.benchmarks.robustness.store import digest, digests
from plugins.errors import KpstraError
from plugins.keypoints.joints import JOINTS

from ...data.partition import read_partition
from ...host.active import ActiveHost
from ...training.record import scalars
from ...training.restore import UNSEEN, restore
from .disturb import disturb


class MisalignedCollate:
    """The test's collate function on sequences that are disturbed first.

    ``what`` and ``seed`` say how; ``only`` holds the names (``<id>-<type>-<view>``) of those that are, ``None`` is all.
    """

    def __init__(self, collate: Callable) -> None:
        self.collate = collate
        self.what, self.seed = Disturbance(), 0
        self.only: frozenset[str] | None = None

    def __call__(self, batch: Sequence[tuple[list[np.ndarray], list]]) -> Any:
        """Disturb and collate items of the data set: ``([silhouettes, keypoints if any], record)``."""
        if self.what == Disturbance():
            return self.collate(batch)
        return self.collate([(self._disturbed(*item), item[1]) for item in batch])

    def _disturbed(self, modalities: list[np.ndarray], record: list) -> list[np.ndarray]:
        name = "-".join(record[:3])
        if self.only is not None and name not in self.only:
            return modalities
        silhouettes, *others = modalities
        shapes = [array.shape[1:] for array in others]
        if silhouettes.ndim != 3 or silhouettes.dtype != np.uint8 or shapes not in ([], [(JOINTS, 3)]):
            raise KpstraError(
                f"{record[3][0]}: {silhouettes.dtype} {silhouettes.shape[1:]} with {shapes or 'nothing'}: robustness "
                f"knows uint8 silhouettes (H, W), alone or with keypoints ({JOINTS}, 3); check data_cfg.data_in_use"
            )
        moved = disturb(silhouettes, others[0] if others else None, self.what, self.seed, name)
        return [array for array in moved if array is not None]


class Misaligned:
    """Mixed into a model class, in front of it: its test loader has a :class:`MisalignedCollate`."""

    bar: tqdm

    def get_loader(self, data_cfg: Mapping, train: bool = True) -> DataLoader:
        """Return the loader of misaligned sequences."""
        loader = super().get_loader(data_cfg, train)
        loader.collate_fn = MisalignedCollate(loader.collate_fn)
        return loader

    def inputs_pretreament(self, inputs: tuple) -> tuple:
        """Count the batch."""
        self.bar.update(distributed.get_world_size())
        return super().inputs_pretreament(inputs)

    def inference(self, rank: int) -> Any:
        """Return the host's features, under the bar of the whole sweep instead of its own."""
        return super().inference(UNSEEN)


def open_run(
    host: ActiveHost, device: str, run: CheckpointRun, overrides: Sequence[str], probes_only: bool
) -> nn.Module:
    """Build a run's model for :func:`measure`; inside a session. Sequences are not kept in memory for each model."""
    model = restore(host, device, run.config, run.checkpoint, ["data_cfg.cache=false", *overrides], Misaligned)
    if probes_only:
        partition = Path(model.cfgs["data_cfg"]["dataset_partition"])
        probes = read_partition(partition).get("PROBE_SET")
        if not probes:
            raise KpstraError(f"--probes-only: {partition}: has no PROBE_SET")
        model.test_loader.collate_fn.only = frozenset(probes)
    return model


def measure(
    host: ActiveHost, model: nn.Module, todo: Sequence[Point], bar: tqdm, joint_noise: float, joint_dropout: float
) -> Iterator[tuple[Point, dict[str, float]]]:
    """Test a model at points; inside a session.

    Yields:
        Each point with its metrics in percent, as the host's evaluation names them; nothing but in the first process.
    """
    errors, model.bar = model.test_loader.collate_fn, bar
    for point in todo:
        errors.what = point.disturbance(joint_noise, joint_dropout)
        errors.seed = point.seed
        bar.set_postfix_str(f"{point.error} {point.severity:g}", refresh=False)
        seed, rank = model.cfgs["trainer_cfg"].get("seed"), distributed.get_rank()
        host.utils.init_seeds(rank if seed is None else seed + rank)  # as a test of its own begins
        results = type(model).run_test(model)
        if rank == 0:
            yield point, _numbers(results)


def record(run: CheckpointRun, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return what identifies a run: its weights, its network, and how it is tested on what."""
    evaluator = {k: v for k, v in settings["evaluator_cfg"].items() if k != "restore_hint"}
    data = {k: v for k, v in settings["data_cfg"].items() if k not in ("num_workers", "cache", "pretreatment")}
    return {
        "checkpoint": Path(run.checkpoint).name,
        "sha256": digest(run.checkpoint),
        "files": digests(dataset_partition=data["dataset_partition"]),
        "model_cfg": settings["model_cfg"],
        "evaluator_cfg": evaluator,
        "data_cfg": data,
    }


def _numbers(results: Mapping[str, Any] | None) -> dict[str, float]:
    found = scalars(results)
    if not found:
        raise KpstraError(
            "evaluator_cfg.eval_func: it returns no metrics; robustness needs one that does, such as evaluate_Gait3D"
        )
    return found
