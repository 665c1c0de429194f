"""Data of a run: the host's loader reading arrays alone, checked, and joint transforms before the host's own.

Training batches are transformed in the loader's workers (:mod:`opengait_ext.training.pretreatment`), unless
``data_cfg.pretreatment`` is ``host``; a test's, of one sequence each, in the process that tests, as OpenGait does it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from torch import distributed
from torch.utils.data import DataLoader

from plugins.errors import KpstraError

from ..data.batches import check_batches
from ..data.checks import check_dataset, check_moves, check_sample, check_transforms
from ..data.dataset import ArrayDataset
from ..data.joint_transform import JointTransform, build_joint_transform
from ..data.partition import read_partition
from ..data.probes import check_probes
from ..host.errors import refused
from ..settings.schema import PRETREATMENT
from .pretreatment import Prepared, Pretreatment, begin
from .progress import uses_cuda
from .ring import RingLoader

SECTIONS = {True: "trainer_cfg", False: "evaluator_cfg"}  # by whether the model trains


class Loading:
    """Part of :class:`opengait_ext.training.hosted.Hosted`: ``get_loader`` and ``inputs_pretreament``."""

    def __init__(self, cfgs: Mapping[str, Any], training: bool) -> None:
        check_transforms(cfgs)
        self.joint_transforms = self.build_joint_transforms(cfgs)
        super().__init__(cfgs, training)

    @staticmethod
    def build_joint_transforms(cfgs: Mapping[str, Any]) -> dict[bool, JointTransform]:
        """Return the joint transforms by whether they are training's."""
        return {
            mode: build_joint_transform(cfgs[section]["joint_transform"], f"{section}.joint_transform")
            for mode, section in SECTIONS.items()
            if cfgs[section].get("joint_transform")
        }

    def get_loader(self, data_cfg: Mapping, train: bool = True) -> DataLoader:
        """Return the host's loader over an :class:`ArrayDataset`.

        Raises:
            KpstraError: data that the settings do not fit.
        """
        read_partition(data_cfg["dataset_partition"])
        with refused(f"data_cfg, {SECTIONS[train]}.sampler"):
            loader = super().get_loader({**data_cfg, "cache": False}, train)
        check_dataset(loader.dataset, self.cfgs, train)
        if train:
            for note in check_batches(len(loader.dataset.label_set), self.cfgs):
                self.msg_mgr.log_warning(note)
        else:
            self.msg_mgr.log_info(check_probes(loader.dataset, self.cfgs))
        looked_at = ArrayDataset(loader.dataset)
        moves = check_moves(looked_at[0][0], self.cfgs, train)
        for doubt in (*moves, *check_sample(looked_at, data_cfg["dataset_root"])):
            self.msg_mgr.log_warning(doubt)
        dataset = ArrayDataset(loader.dataset, data_cfg["cache"])
        ready = train and data_cfg.get("pretreatment", PRETREATMENT[0]) == PRETREATMENT[0]
        if train:
            self._say_who_reads(loader.num_workers)
        return RingLoader(
            dataset,
            batch_sampler=loader.batch_sampler,
            collate_fn=Pretreatment(loader.collate_fn, self) if ready else loader.collate_fn,
            num_workers=loader.num_workers,
            worker_init_fn=begin,
            pin_memory=ready and uses_cuda(),
            slot_bytes=batch_bytes(dataset, self.cfgs["trainer_cfg"]["sampler"]) if ready else 0,
        )

    def _say_who_reads(self, workers: int) -> None:
        """Log that no worker does, which an accelerator waits for."""
        if not workers:
            say = self.msg_mgr.log_warning if uses_cuda() else self.msg_mgr.log_info
            say(
                "data_cfg.num_workers: 0: the training process reads and transforms every batch between two steps; "
                "data_cfg.num_workers=2 or more lets other processes do it meanwhile"
            )

    def inputs_pretreament(self, inputs: tuple | Prepared) -> tuple:
        """Take a batch that is ready to the device, or transform one that is not."""
        return inputs.on_device() if isinstance(inputs, Prepared) else self.transform_each(self.move_together(inputs))

    def transform_each(self, inputs: tuple) -> tuple:
        """Apply the host's transform to each modality, and make tensors."""
        return super().inputs_pretreament(inputs)

    def move_together(self, inputs: tuple) -> tuple:
        """Apply the joint transform to each sequence."""
        joint = self.joint_transforms.get(self.training)
        if joint is not None:
            modalities, *others = inputs
            if len(modalities) != 2:
                raise KpstraError(
                    f"joint_transform: the data has {len(modalities)} modalities, expected silhouettes and keypoints; "
                    "check data_cfg.data_in_use and dataset_root"
                )
            pairs = [joint(np.asarray(s), np.asarray(k)) for s, k in zip(*modalities, strict=True)]
            inputs = ([[s for s, _ in pairs], [k for _, k in pairs]], *others)
        return inputs


def batch_bytes(dataset: ArrayDataset, sampler: Mapping[str, Any]) -> int:
    """Return how many bytes the first modality of a process's batch has as float32, at most; 0 if no one can know."""
    frames = {"fixed": sampler.get("frames_num_fixed"), "unfixed": sampler.get("frames_num_max")}
    most, size = frames.get(sampler["sample_type"].partition("_")[0]), sampler["batch_size"]
    sequences = math.prod(size) if isinstance(size, list) else size
    if not most:
        return 0
    return 4 * most * sequences // distributed.get_world_size() * math.prod(dataset[0][0][0].shape[1:])
