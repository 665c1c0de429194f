"""Data of a run: the host's loader reading arrays alone, checked, and joint transforms before the host's own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from torch.utils.data import DataLoader

from plugins.common.processes import follow_parent
from plugins.errors import KpstraError

from ..data.batches import check_batches
from ..data.checks import check_dataset, check_sample, check_transforms
from ..data.dataset import ArrayDataset
from ..data.joint_transform import build_joint_transform
from ..data.partition import read_partition
from ..data.probes import check_probes
from ..host.errors import refused

SECTIONS = {True: "trainer_cfg", False: "evaluator_cfg"}  # by whether the model trains


class Loading:
    """Part of :class:`opengait_ext.training.hosted.Hosted`: ``get_loader`` and ``inputs_pretreament``."""

    def __init__(self, cfgs: Mapping[str, Any], training: bool) -> None:
        check_transforms(cfgs)
        self.joint_transforms = {
            mode: build_joint_transform(cfgs[section]["joint_transform"], f"{section}.joint_transform")
            for mode, section in SECTIONS.items()
            if cfgs[section].get("joint_transform")
        }
        super().__init__(cfgs, training)

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
        for doubt in check_sample(ArrayDataset(loader.dataset), data_cfg["dataset_root"]):
            self.msg_mgr.log_warning(doubt)
        dataset = ArrayDataset(loader.dataset, data_cfg["cache"])
        return DataLoader(
            dataset,
            batch_sampler=loader.batch_sampler,
            collate_fn=loader.collate_fn,
            num_workers=loader.num_workers,
            worker_init_fn=follow_parent,
        )

    def inputs_pretreament(self, inputs: tuple) -> tuple:
        """Apply the joint transform to each sequence, then the host's transform of each modality."""
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
        return super().inputs_pretreament(inputs)
