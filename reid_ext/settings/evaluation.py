"""The settings that a test's numbers depend on, beside the weights."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from plugins.common.settings import flatten

TESTED = ("model.name", "kprpe.", "stra.", "data.", "test.", "cuhk03.", "market1501.", "video.")
UNTOLD = ("data.workers", "data.save_dir", "data.transforms", "test.evaluate", "test.batch_size", "stra.weight_d")
WHEN = ("test.eval_freq", "test.start_eval", "test.visrank", "test.visrank_topk")  # when it is done, and its pictures


def evaluation_settings(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return of a run's settings, by dotted key, those that say which network is tested, how, and on what.

    >>> evaluation_settings({"model": {"name": "resnet50_stra"}, "train": {"lr": 0.1}, "test": {"ranks": [1]}})
    {'model.name': 'resnet50_stra', 'test.ranks': [1]}
    """
    return {k: v for k, v in flatten(settings).items() if k.startswith(TESTED) and k not in UNTOLD}
