"""A model without a network, which transforms batches in a loader's worker as the model itself would."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from torch import nn

from plugins.errors import KpstraError

from ..data.joint_transform.hosts import LikeTheHosts, like_the_hosts
from ..host.active import ActiveHost
from .ring import empty

Undivided = tuple[np.ndarray, float | None]  # frames (s, H, W), and what they are still to be divided by, if anything


def twin_of(host: ActiveHost, cls: type, cfgs: Mapping[str, Any]) -> Any:
    """Return a model of this class that has the settings and transforms of training, and no network.

    Where the class transforms its input as the host's base model does, ``first_transform`` is that of the first
    modality, silhouettes, and the base model is left to do nothing with them; else it is ``None``.
    """
    twin, engine = cls.__new__(cls), cfgs["trainer_cfg"]
    nn.Module.__init__(twin)
    twin.host, twin.cfgs, twin.engine_cfg, twin.first_transform = host, cfgs, engine, None
    twin.joint_transforms = twin.build_joint_transforms(cfgs)
    nodes = engine["transform"]
    twin.trainer_trfs = host.transforms.get_transform(nodes)
    if isinstance(nodes, list) and nodes and not transforms_itself(cls, host.base_model.BaseModel):
        twin.first_transform, *rest = twin.trainer_trfs
        twin.first_transform = like_the_hosts(nodes[0], twin.first_transform)
        twin.trainer_trfs = [np.asarray, *rest]
    return twin


def transforms_itself(cls: type, base: type) -> bool:
    """Whether a model of the host has an ``inputs_pretreament`` of its own."""
    ours = __package__.partition(".")[0]
    between = [one for one in cls.__mro__[: cls.__mro__.index(base)] if not one.__module__.startswith(ours)]
    return any("inputs_pretreament" in vars(one) for one in between)


def transform(twin: Any, batch: Sequence) -> tuple[Any, np.ndarray | None]:
    """Transform what the host's collate function gave.

    Returns:
        What the model's ``inputs_pretreament`` returns; and the first modality as (n, s, H, W) float32, if there is
        only a place holder for it in that, (n, s).

    Raises:
        KpstraError: the base model has done more than to hand the place holder on.
    """
    batch, sequences = first_of(twin, batch)
    if sequences is None:
        return twin.transform_each(batch), None
    if len({frames.shape for frames, _ in sequences}) != 1:
        raise KpstraError(
            "data_cfg.dataset_root: silhouettes of several sizes in one batch: "
            f"{', '.join(sorted({str(frames.shape[1:]) for frames, _ in sequences}))}; prepare them to one size"
        )
    first = divided(sequences)
    holders = np.zeros(first.shape[:2], np.float32)
    ready = twin.transform_each(([holders, *batch[0][1:]], *batch[1:]))
    if ready[0][0].shape != holders.shape:
        raise KpstraError(
            f"{type(twin).__name__}: the host {twin.host} gives its input another shape than the tested one; set "
            "data_cfg.pretreatment=host"
        )
    return ready, first


def divided(sequences: Sequence[Undivided]) -> np.ndarray:
    """Return sequences together, (n, s, H, W) float32: each quotient rounded once, as float64 that is made float32."""
    whole = empty((len(sequences), *sequences[0][0].shape))
    for place, (frames, divisor) in zip(whole, sequences, strict=True):
        if divisor is None:
            place[:] = frames
        elif float(np.float32(divisor)) == divisor:
            np.divide(frames, np.float32(divisor), out=place, dtype=np.float32)
        else:
            place[:] = frames / divisor
    return whole


def first_of(twin: Any, batch: Sequence) -> tuple[Sequence, list[Undivided] | None]:
    """Take the joint transform and that of the first modality, whose sequences are returned beside the batch."""
    (joint, first), sequences = (twin.joint_transforms.get(True), twin.first_transform), batch[0]
    if first is None:
        return twin.move_together(batch), None
    plain = isinstance(first, getattr(twin.host.transforms, "NoOperation", ()))
    if joint is not None and plain and len(sequences) == 2:
        moved = [joint.undivided(np.asarray(s), np.asarray(k)) for s, k in zip(*sequences, strict=True)]
        keypoints = [one[1] for one in moved]
        return ([sequences[0], keypoints], *batch[1:]), [(one[0], one[2]) for one in moved]
    batch = twin.move_together(batch)
    transform = first.undivided if isinstance(first, LikeTheHosts) else lambda frames: (first(frames), None)
    return batch, [transform(frames) for frames in batch[0][0]]
