"""The picture: a panel for each kind of error, a line for each checkpoint."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from ...common.files import atomic_write
from .disturbance import KINDS
from .report import Curve

COLOURS = ("#555555", "#c8501e", "#1f77b4", "#2e8b57", "#8e44ad", "#b8860b", "#d6457a", "#17a2b8")
MARKERS = "osD^vPX*"


def plot(curves: Sequence[Curve], metrics: Sequence[str], path: Path, about: str, units: Mapping[str, str]) -> None:
    """Draw a row of panels for each metric and write a PNG; bands are one standard deviation over the draws."""
    from matplotlib.figure import Figure

    errors, labels = (list(dict.fromkeys(getattr(c, key) for c in curves)) for key in ("error", "label"))
    figure = Figure(figsize=(1.2 + 2.6 * max(2, len(errors)), 0.9 + 2.6 * len(metrics)), layout="constrained")
    axes = figure.subplots(len(metrics), len(errors), squeeze=False, sharex="col", sharey="row")
    for row, metric in zip(axes, metrics, strict=True):
        for ax, error in zip(row, errors, strict=True):
            for i, label in enumerate(labels):
                curve = next(c for c in curves if (c.label, c.error) == (label, error))
                _line(ax, curve, metric, i)
            ax.spines[["top", "right"]].set_visible(False)
            ax.grid(axis="y", color="#e5e5e5", lw=0.7)
        row[0].set_ylabel(f"{metric}, %")
    for error, top, bottom in zip(errors, axes[0], axes[-1], strict=True):
        top.set_title(error, fontsize=11)
        bottom.set_xlabel(units.get(error, KINDS[error].unit), fontsize=9)
        bottom.set_xlim(0)
    handles, names = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside upper left", ncols=min(4, len(names)), frameon=False, fontsize=10)
    figure.supxlabel(about, fontsize=8, color="#666666")
    with atomic_write(path) as stream:
        figure.savefig(stream, format="png", dpi=130)


def _line(ax, curve: Curve, metric: str, number: int) -> None:
    strong = KINDS[curve.error].factor
    shown = [(strong * s, values[metric]) for s, values in curve.values.items() if metric in values]
    x, means = [s for s, _ in shown], [m.mean for _, m in shown]
    spread = [m.spread or 0.0 for _, m in shown]
    colour = COLOURS[number % len(COLOURS)]
    ax.plot(
        x, means, color=colour, marker=MARKERS[number % len(MARKERS)], ms=4, lw=1.6, label=curve.label, clip_on=False
    )
    low, high = ([m + sign * s for m, s in zip(means, spread, strict=True)] for sign in (-1, 1))
    ax.fill_between(x, low, high, color=colour, alpha=0.15, lw=0)
