"""torchreid's data manager, built from checked data."""

from __future__ import annotations

from yacs.config import CfgNode

from ..host import torchreid
from ..host_errors import host_call
from ..settings.load import datamanager_kwargs
from ..training.console import quiet
from .affine import NAME, RandomAffine, add_affine
from .batches import check_people, check_triplets, checked_samplers
from .galleries import check_galleries
from .keypoints import attach_keypoints


def build_datamanager(cfg: CfgNode):
    """Build the host's ImageDataManager or VideoDataManager.

    A test needs no training batches: its training images may be fewer than one.

    With ``data.keypoints`` its samples have keypoints (:mod:`reid_ext.data.keypoints`).

    Raises:
        KpstraError: batches, people or galleries that the run cannot work with, keypoints that
            are none of these images', or the host's reading failed.
    """
    kwargs = datamanager_kwargs(cfg)
    if cfg.test.evaluate:
        kwargs |= {"train_sampler": "SequentialSampler", "batch_size_train": 1}
    else:
        check_triplets(cfg)
    manager = torchreid.data.ImageDataManager if cfg.data.type == "image" else torchreid.data.VideoDataManager
    names = f"data.sources {cfg.data.sources}, data.targets {cfg.data.targets}"
    with host_call(names, f"check the files under data.root ({cfg.data.root})"), checked_samplers(), quiet():
        datamanager = manager(**kwargs)
    if NAME in cfg.data.transforms:
        add_affine(datamanager, RandomAffine(**cfg.data.affine))
    if not cfg.test.evaluate:
        check_people(datamanager.num_train_pids)
    check_galleries(cfg, datamanager)
    sources, targets = (cfg.data[f"keypoints_{key}"] or cfg.data.keypoints for key in ("sources", "targets"))
    attach_keypoints(datamanager, "" if cfg.test.evaluate else sources, targets)
    return datamanager
