"""Training batches that a sampler, a loss or a batch norm cannot take: found before the first one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

import torch
from torch import nn
from yacs.config import CfgNode

from plugins.errors import KpstraError

from ..host import torchreid

# Sampler -> (what it draws a batch from, that thing's place in an image's tuple, the setting of how many or of each)
GROUPED = {
    "RandomIdentitySampler": ("people", 1, "num_instances"),
    "RandomDomainSampler": ("cameras", 2, "num_cams"),
    "RandomDatasetSampler": ("data sets", 3, "num_datasets"),
}


@contextmanager
def checked_samplers() -> Iterator[None]:
    """Let the host's data managers build samplers only from data and numbers that go together."""
    module = torchreid.data.datamanager
    build = module.build_train_sampler

    def checked(images: Sequence[tuple], train_sampler: str, batch_size: int, **numbers: int) -> Any:
        check_sampler(images, train_sampler, batch_size, **numbers)
        return build(images, train_sampler, batch_size=batch_size, **numbers)

    with patch.object(module, "build_train_sampler", checked):
        yield


def check_sampler(images: Sequence[tuple], sampler: str, batch_size: int, **numbers: int) -> None:
    """Check that a batch is a whole number of groups, that there are as many, and images enough in each.

    Args:
        images: (path, person, camera, data set) of every training image.
        sampler: its name.
        batch_size: images in a batch.
        numbers: ``num_instances``, ``num_cams`` and ``num_datasets`` of the settings.

    Raises:
        KpstraError: names the numbers.
    """
    if len(images) < batch_size:
        raise KpstraError(
            f"train.batch_size: {batch_size}: there are {len(images)} training images, fewer than a batch; lower it"
        )
    if sampler not in GROUPED:
        return
    things, place, setting = GROUPED[sampler]
    number, sizes = numbers[setting], Counter(image[place] for image in images)
    where = f"sampler.train_sampler {sampler}: train.batch_size {batch_size} and sampler.{setting} {number}"
    if batch_size % number:
        raise KpstraError(f"{where}: the batch is not divisible; choose a multiple of {number}")
    if sampler == "RandomIdentitySampler":
        if batch_size // number > len(sizes):
            raise KpstraError(
                f"{where} take {batch_size // number} {things} a batch, but there are {len(sizes)} to train on; "
                f"lower train.batch_size to {len(sizes) * number} or less"
            )
        return
    if number > len(sizes):
        raise KpstraError(f"{where}: the training images are of {len(sizes)} {things}; lower sampler.{setting}")
    each, size = batch_size // number, min(sizes.values())
    if size < each:
        raise KpstraError(
            f"{where} take {each} images from each of the {things}, but one has only {size}; lower train.batch_size"
        )


def check_triplets(cfg: CfgNode) -> None:
    """Check that a batch of the identity sampler holds images of two people, and two of each.

    Raises:
        KpstraError: names the numbers.
    """
    if cfg.loss.name != "triplet" or cfg.loss.triplet.weight_t == 0:
        return
    batch, each = cfg.train.batch_size, cfg.sampler.num_instances
    if batch == 1:
        raise KpstraError("loss.name triplet: train.batch_size 1: a triplet is of three images")
    if cfg.sampler.train_sampler == "RandomIdentitySampler" and batch // each < 2:
        raise KpstraError(
            f"loss.name triplet: train.batch_size {batch} with sampler.num_instances {each} is one person a batch; a "
            f"triplet needs two: raise train.batch_size to {2 * each} or more"
        )
    if cfg.sampler.train_sampler == "RandomIdentitySampler" and each == 1:
        raise KpstraError(
            "loss.name triplet: sampler.num_instances 1: a triplet needs two images of a person; raise it"
        )


def check_people(number: int) -> None:
    """Check that there are identities to tell apart.

    Raises:
        KpstraError: one person.
    """
    if number < 2:
        raise KpstraError(f"data.sources: the training images are of {number} person; there is nothing to tell apart")


def check_batch_norm(model: nn.Module, batch_size: int, devices: int = 1) -> None:
    """Check that no batch norm over vectors gets a single one, on any of the devices that a batch is divided among.

    Raises:
        KpstraError: names layer and numbers.
    """
    norms = [name for name, layer in model.named_modules() if isinstance(layer, nn.BatchNorm1d)]
    smallest = min(len(part) for part in torch.arange(batch_size).chunk(max(devices, 1)))
    if norms and smallest == 1:
        among = f", divided among {devices} devices," if devices > 1 else ""
        raise KpstraError(
            f"train.batch_size: {batch_size}{among} leaves one image to the batch norm {norms[0]}, which needs two; "
            "raise it"
        )
