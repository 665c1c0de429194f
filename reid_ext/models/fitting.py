"""Which models of torchreid's factory a file's weights are of."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from ..host import torchreid
from . import factory

MOST = 3  # models named


def models_that_fit(weights: Mapping[str, Tensor]) -> list[str]:
    """Return the models whose feature weights are all in ``weights``, those first that leave the fewest over.

    Several models may have the same weights, such as ``resnet50`` with another last stride. They are built without
    memory, on the meta device.
    """
    factory.register()
    found = []
    for name in getattr(torchreid.models, "__model_factory"):
        try:
            with torch.device("meta"):
                model = torchreid.models.build_model(name, 1, pretrained=False, use_gpu=False)
        except Exception:  # one of the host's that cannot be built so is not proposed
            continue
        needed = {key: value for key, value in model.state_dict().items() if "classifier" not in key}
        if all(key in weights and weights[key].shape == value.shape for key, value in _counted(needed)):
            found.append((len(weights.keys() - needed.keys()), name))
    fewest = min(found, default=(0, ""))[0]
    return [name for left_over, name in sorted(found) if left_over == fewest][:MOST]


def _counted(tensors: Mapping[str, Tensor]) -> list[tuple[str, Tensor]]:
    return [(key, value) for key, value in tensors.items() if not key.endswith("num_batches_tracked")]
