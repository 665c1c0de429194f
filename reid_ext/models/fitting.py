"""Which models of torchreid's factory a file's weights are of."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from ..host import torchreid
from . import factory

MOST = 3  # models named
HEADS = (
    (factory.FACE_TRANSFORMERS, "network.feature.0.weight"),
    (factory.FACE_RESNETS, "fc.4.weight"),
)  # slow to build


def models_that_fit(weights: Mapping[str, Tensor]) -> list[str]:
    """Return the models whose feature weights are all in ``weights`` and that leave the fewest over.

    Several models may have the same weights, such as ``resnet50`` with another last stride. They are built without
    memory, on the meta device.
    """
    factory.register()
    found = []
    for name in getattr(torchreid.models, "__model_factory"):
        if any(name in names and key not in weights for names, key in HEADS):
            continue
        try:
            with torch.device("meta"):
                model = torchreid.models.build_model(name, 1, pretrained=False, use_gpu=False)
        except Exception:  # one of the host's that cannot be built so is not proposed
            continue
        needed = {key: value for key, value in model.state_dict().items() if "classifier" not in key}
        if all(key in weights and weights[key].shape == value.shape for key, value in _counted(needed)):
            found.append((len(left_over(weights, needed)), name))
    fewest = min(found, default=(0, ""))[0]
    return [name for count, name in sorted(found) if count == fewest][:MOST]


def models_that_take_all(model: nn.Module, weights: Mapping[str, Tensor]) -> list[str]:
    """Return the models that take all of ``weights``, where ``model`` would leave a part over; none if it does not."""
    left = left_over(weights, model.state_dict())
    if not left:
        return []
    fitting = models_that_fit(weights)
    with torch.device("meta"):
        best = [torchreid.models.build_model(name, 1, pretrained=False, use_gpu=False) for name in fitting[:1]]
    return fitting if best and not left_over(weights, best[0].state_dict()) else []


def left_over(weights: Mapping[str, Tensor], taken: Mapping[str, Tensor]) -> list[str]:
    """Return the names of feature weights that are not in ``taken``."""
    return [key for key in weights if key not in taken and "classifier" not in key]


def _counted(tensors: Mapping[str, Tensor]) -> list[tuple[str, Tensor]]:
    return [(key, value) for key, value in tensors.items() if not key.endswith("num_batches_tracked")]
