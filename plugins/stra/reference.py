"""Weights of the authors' public StRA code, renamed to ours."""

from __future__ import annotations

import re
from collections.abc import Mapping

from torch import Tensor

from ..errors import KpstraError

# The map, in the order it is applied. The left side is a whole dotted part of a key.
RENAMES = (
    ("mask_conv", "local.mask"),
    ("value_conv", "local.value"),
    ("moe.gap_weight", "mode.mask"),
    ("moe.bn2", "mode.interaction_norm"),
    ("moe.bn", "mode.gate_norm"),
    ("global_avg_pool.1", "fc.0"),  # 1x1 convolution 2048 -> 512 on the pooled vector: a linear layer
    ("global_avg_pool.2", "fc.1"),
)


def from_reference(state_dict: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Rename the authors' weights to ours.

    Takes the weights of one attention (``mask_conv.*``, ``value_conv.*``, ``moe.*``) for :class:`StRAttention`, those
    of a whole network for ``resnet50_stra``, or a whole checkpoint (``state_dict`` inside), ``module.`` or not.

    Raises:
        KpstraError: nothing in ``state_dict`` bears the authors' names.
    """
    inner = state_dict.get("state_dict", state_dict)
    keys = [key.removeprefix("module.") for key in inner]
    if not any(re.search(r"(^|\.)(mask_conv|moe)\.", key) for key in keys):
        found = ", ".join(keys[:5]) or "no keys"
        raise KpstraError(f"not weights of the authors' StRA code: no mask_conv or moe among {found}")
    renamed = {}
    for key, value in zip(keys, inner.values(), strict=True):
        name = key
        for theirs, ours in RENAMES:
            name = re.sub(rf"(^|\.){re.escape(theirs)}\.", rf"\g<1>{ours}.", name)
        renamed[name] = value.flatten(1) if name == "fc.0.weight" else value
    return renamed
