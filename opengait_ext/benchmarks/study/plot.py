"""The forest plot: what each row gained over its control, under every test and training."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from textwrap import wrap
from typing import TYPE_CHECKING

from plugins.common.files import atomic_write

from .table import Study

if TYPE_CHECKING:
    from .report import Comparison

DECIDED, OPEN = "#c8501e", "#555555"
WIDTH = 24  # letters of a panel's title
LETTERS = 14  # of the text below, to an inch


def plot(study: Study, found: Sequence[Comparison], path: Path) -> None:
    """Draw a column of panels for each compared row and a row of them for each training; write a PNG.

    A point is the mean difference of mAP, the bar its 95 % interval; it is filled where Holm's correction leaves the
    comparison decided.
    """
    from matplotlib.figure import Figure

    rows = [row for row in study.rows if any(one.row == row.name for one in found)]
    trainings = [name for name in study.trainings if any(one.training == name for one in found)]
    tests = [test for test in study.tests if any(one.test == test.name for one in found)]
    figure = Figure(
        figsize=(1.6 + 1.5 * len(rows), 1.2 + len(trainings) * (0.5 + 0.2 * len(tests))), layout="constrained"
    )
    axes = figure.subplots(len(trainings), len(rows), squeeze=False, sharex=True, sharey=True)
    for line, training in zip(axes, trainings, strict=True):
        for ax, row in zip(line, rows, strict=True):
            for one in found:
                if (one.row, one.training) == (row.name, training):
                    place = len(tests) - 1 - [test.name for test in tests].index(one.test)
                    colour = DECIDED if one.decided else OPEN
                    ax.errorbar(
                        one.difference.mean,
                        place,
                        xerr=one.difference.half,
                        fmt="o",
                        markersize=4,
                        color=colour,
                        markerfacecolor=colour if one.decided else "white",
                        elinewidth=1.2,
                    )
            ax.axvline(0, color="black", linewidth=0.8, zorder=0)
            ax.spines[["top", "right"]].set_visible(False)
            ax.grid(axis="x", alpha=0.3)
            ax.set_yticks(range(len(tests)), [test.label for test in reversed(tests)], fontsize=7)
            ax.tick_params(axis="x", labelsize=7)
            if ax in axes[0]:
                control = study.row(row.control).label
                ax.set_title("\n".join(wrap(row.label, WIDTH) + wrap(f"against {control}", WIDTH)), fontsize=7)
        line[0].set_ylabel(f"{training} training", fontsize=8)
    meaning = "difference of mAP to the control, 95 % intervals; filled: decided at 5 % by Holm's correction"
    figure.supxlabel("\n".join(wrap(meaning, int(LETTERS * figure.get_figwidth()))), fontsize=8)
    with atomic_write(path) as stream:
        figure.savefig(stream, format="png", dpi=150)
