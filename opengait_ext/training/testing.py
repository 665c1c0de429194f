"""Tests of a run: the evaluation rehearsed before features are extracted, features and metrics checked after it."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Any

import numpy as np
from torch import nn
from torch.utils.data import DataLoader

from plugins.errors import KpstraError

from ..host.active import ActiveHost
from ..host.errors import refused
from ..host.patches import probes_from
from ..host.rehearsal import rehearse
from .numerics import require_finite_features


class Testing:
    """Part of :class:`opengait_ext.training.hosted.Hosted`: ``run_test`` and ``inference``."""

    host: ActiveHost

    def get_loader(self, data_cfg: Mapping, train: bool = True) -> DataLoader:
        """Return the loader; the evaluation of a test's has been tried on made-up features."""
        loader = super().get_loader(data_cfg, train)
        if not train:
            with self.probes():
                rehearse(self.host, self.cfgs, loader.dataset)
        return loader

    def inference(self, rank: int) -> Mapping[str, np.ndarray]:
        """Return the host's features of all test sequences; those of float16 as float32.

        Distances are of squares, which leave float16's range where features have a length of 256 or more.

        Raises:
            KpstraError: features that are not finite, naming the sequences.
        """
        with refused("test (evaluator_cfg, model_cfg)"):
            features, data = super().inference(rank), self.test_loader.dataset
        features = {name: widened(values) for name, values in features.items()}
        require_finite_features(features, data.label_list, data.types_list, data.views_list)
        return features

    def probes(self) -> AbstractContextManager[None]:
        """Let the host's evaluation read its probes from the run's partition."""
        return probes_from(self.host, self.cfgs["data_cfg"]["dataset_partition"])

    @staticmethod
    def run_train(model: nn.Module) -> None:
        """Train; tests in the midst of it have the run's probes."""
        module = getattr(model, "module", model)
        with module.probes():
            super(Testing, type(module)).run_train(model)

    @staticmethod
    def run_test(model: nn.Module) -> dict[str, Any] | None:
        """Return the host's metrics, in the first process.

        Raises:
            KpstraError: the evaluation fails, or its metrics are not finite.
        """
        module = getattr(model, "module", model)
        name = module.cfgs["evaluator_cfg"]["eval_func"]
        with refused("evaluator_cfg.eval_func", name), module.probes():
            results = super(Testing, type(module)).run_test(model)
        wrong = [key for key, value in (results or {}).items() if not np.isfinite(value).all()]
        if wrong:
            raise KpstraError(f"evaluator_cfg.eval_func: {name}: {', '.join(wrong)}: NaN or infinite")
        return results


def widened(values: np.ndarray) -> np.ndarray:
    """Return values of float16 as float32, all else as it is."""
    return values.astype(np.float32) if values.dtype == np.float16 else values
