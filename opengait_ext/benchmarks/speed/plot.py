"""The picture of :mod:`opengait_ext.benchmarks.speed.scaling`: measured points on their straight lines."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from plugins.common.files import atomic_write

COLOURS = {"SwinGait2D": "#555555", "SwinGait2DKPRPE": "#c8501e"}
MARKERS = {"forward": "o", "train step": "s"}


def plot(curves: list[dict[str, Any]], path: Path) -> None:
    """Draw one panel for each size and sweep, with points, their spread, and the fitted lines; write a PNG."""
    from matplotlib.figure import Figure

    sizes = list(dict.fromkeys(curve["size"] for curve in curves))
    figure = Figure(figsize=(9, 3.4 * len(sizes)), layout="constrained")
    axes = figure.subplots(len(sizes), 2, squeeze=False)
    for row, size in zip(axes, sizes, strict=True):
        for ax, sweep in zip(row, ("length", "batch"), strict=True):
            _panel(ax, [c for c in curves if (c["size"], c["sweep"]) == (size, sweep)], size)
    lines = [curve["line"] for curve in curves]
    figure.suptitle(
        "Cost of SwinGait-2D: points are medians (bars: smallest to largest), lines are fits\n"
        f"largest deviation of a point from its line {max(line['deviation'] for line in lines):.0%}, "
        f"smallest R² {min(line['r2'] for line in lines):.4f}",
        fontsize=11,
    )
    with atomic_write(path) as stream:
        figure.savefig(stream, format="png", dpi=110)


def _panel(ax, curves: list[dict[str, Any]], size: str) -> None:
    for curve in curves:
        points, line, colour = curve["points"], curve["line"], COLOURS.get(curve["model"])
        x, y = ([p[key] for p in points] for key in ("x", "seconds"))
        below, above = [p["seconds"] - p["min"] for p in points], [p["max"] - p["seconds"] for p in points]
        ends = [0, x[-1]]
        ax.plot(ends, [line["intercept"] + line["slope"] * end for end in ends], color=colour, lw=1, alpha=0.6)
        name = curve["model"].replace("SwinGait2DKPRPE", "with KP-RPE").replace("SwinGait2D", "without")
        ax.errorbar(
            x,
            y,
            (below, above),
            fmt=MARKERS[curve["phase"]],
            color=colour,
            ms=4,
            capsize=2,
            lw=1,
            label=f"{curve['phase']}, {name}",
        )
    point = curves[0]["points"][0]
    fixed = point["frames"] // point["x"]
    labels = {"length": f"frames a sequence ({fixed} sequences)", "batch": f"sequences of {fixed} frames"}
    ax.set_xlabel(labels[curves[0]["sweep"]])
    ax.set_ylabel("seconds")
    ax.set_title(f"{size} network", fontsize=10)
    ax.set_xlim(0)
    ax.set_ylim(0)
    ax.spines[["top", "right"]].set_visible(False)
    ax.legend(fontsize=8, frameon=False)
