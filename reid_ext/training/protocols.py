"""Tests in torchreid's engines on data sets of faces, by the data set's own protocol."""

from __future__ import annotations

import math
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from torch.utils.data import DataLoader
from yacs.config import CfgNode

from plugins.errors import KpstraError, some

from ..data.splits import ACCURACY, RANKING


def has_protocol(loader: DataLoader | None) -> bool:
    """Whether a data set is not tested by torchreid's ranking."""
    return getattr(getattr(loader, "dataset", None), "protocol", RANKING) != RANKING


def require_classifier(cfg: CfgNode, datamanager: Any, kept: Iterable[str]) -> None:
    """Refuse to test classes with a classifier that is not the file's.

    Args:
        cfg: the settings.
        datamanager: torchreid's.
        kept: names of the model's tensors that the file with its weights did not have.

    Raises:
        KpstraError: names the data set and the tensors.
    """
    missing = [name for name in kept if "classifier" in name]
    for target, splits in datamanager.test_loader.items():
        if missing and getattr(splits["query"].dataset, "protocol", RANKING) == ACCURACY:
            raise KpstraError(
                f"model.load_weights: {cfg.model.load_weights}: {some(missing)} are not in it, or for another number "
                f"of classes; {target} tests the classifier (with data.sources [{target}] it has the right number)"
            )


def test_by_protocol(
    engine: Any, name: str, query: DataLoader, gallery: DataLoader, save_dir: str | Path
) -> dict[str, float]:
    """Return what an engine's model reaches on a data set; draw ``save_dir/roc_<name>.png`` where pairs are verified.

    Raises:
        KpstraError: features that are not finite, images that cannot be read, or a model that does not fit.
    """
    from ..evaluation.protocols import PROTOCOLS  # scikit-learn takes a second, which only faces need

    device = "cuda" if engine.use_gpu else "cpu"
    measured = PROTOCOLS[query.dataset.protocol](engine.model, query, gallery, device)
    metrics = {metric: value for metric, value in measured.metrics.items() if not math.isnan(value)}
    if engine.writer is not None:
        for metric, value in metrics.items():
            engine.writer.add_scalar(f"Test/{name}/{metric}", value, engine.epoch)
    if measured.scores is not None and save_dir:
        from ..pictures.roc import draw_roc

        picture = Path(save_dir) / f"roc_{name.replace('/', '_')}.png"
        print(f"Picture: {draw_roc(picture, {name: (measured.scores, measured.same)})}")
    return metrics
