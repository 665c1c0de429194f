"""Whether a classifier and batches fit the training identities."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from plugins.errors import KpstraError


def check_batches(identities: int, cfgs: Mapping[str, Any]) -> list[str]:
    """Refuse a classifier and batches that the training set's identities do not allow.

    Args:
        identities: of the training set.
        cfgs: the run's settings.

    Returns:
        What is allowed but odd, for the log.

    Raises:
        KpstraError: fewer classes than identities, more identities in a batch than there are, or batches whose
            identities have unequal numbers of sequences, from which the host's triplet loss cannot be taken.
    """
    notes, necks = [], cfgs["model_cfg"].get("SeparateBNNecks") or {}
    classes = necks.get("class_num", identities)
    if classes < identities:
        raise KpstraError(
            f"model_cfg.SeparateBNNecks.class_num: {classes}: the training set has {identities} identities"
        )
    if classes > identities:
        notes.append(
            f"model_cfg.SeparateBNNecks.class_num: {classes}, but the training set has {identities} identities; the "
            "other classes are never seen: is data_cfg.dataset_partition or dataset_root another data set's?"
        )
    sampler, where = cfgs["trainer_cfg"]["sampler"], "trainer_cfg.sampler"
    size = sampler["batch_size"]
    if isinstance(size, list) and (len(size) != 2 or size[0] < 2):
        raise KpstraError(f"{where}.batch_size: {size}: expected [identities >= 2, sequences of each]")
    if sampler["type"] == "TripletSampler" and isinstance(size, list) and size[0] > identities:
        raise KpstraError(
            f"{where}.batch_size: {size}: {size[0]} identities in a batch, but the training set has {identities}; "
            f"give [{identities}, {size[1]}] or fewer"
        )
    if sampler["type"] == "CommonSampler" and _triplets(cfgs["loss_cfg"]):
        raise KpstraError(
            f"{where}.type: CommonSampler: its batches hold unequal numbers of sequences of an identity, and "
            "loss_cfg's TripletLoss needs equal ones; use TripletSampler"
        )
    return notes


def _triplets(losses: Mapping | Sequence[Mapping]) -> bool:
    return any(loss["type"] == "TripletLoss" for loss in ([losses] if isinstance(losses, Mapping) else losses))
