"""ROC curves of verified pairs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from sklearn.metrics import auc, roc_curve

from plugins.common.files import atomic_write


def draw_roc(path: str | Path, curves: Mapping[str, tuple[np.ndarray, np.ndarray]]) -> Path:
    """Draw true over false accept rates, the latter on a logarithmic axis down to one pair, and return the path.

    Args:
        path: of the picture, a PNG.
        curves: for each name, scores (N,) and whether a pair is of one person (N,).

    Raises:
        KpstraError: it cannot be written.
    """
    figure = Figure(figsize=(5, 4), layout="constrained")
    axes = figure.subplots()
    for name, (scores, same) in curves.items():
        false, true, _ = roc_curve(same, scores)
        axes.plot(false, true, drawstyle="steps-post", label=f"{name} (area {auc(false, true):.4f})")
    least = min(1 / max(int((~same).sum()), 1) for _, same in curves.values())
    axes.set(xscale="log", xlim=(least / 2, 1), ylim=(0, 1.01), xlabel="false accept rate", ylabel="true accept rate")
    axes.grid(alpha=0.3)
    axes.legend(loc="lower right", fontsize="small")
    with atomic_write(path) as stream:
        figure.savefig(stream, format="png", dpi=150)
    return Path(path)
