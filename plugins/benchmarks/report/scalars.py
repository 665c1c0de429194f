"""Curves of a training, read from the TensorBoard files that the hosts write, and drawn. Needs tensorboard."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PANELS = 4  # in a row of the picture
NEGLECTED = ("images", "audio", "histograms", "distributions", "compressedHistograms", "tensors")


class Series(NamedTuple):
    """A curve: values by step, in order of the steps."""

    steps: Sequence[int]
    values: Sequence[float]


def read_scalars(folder: Path) -> dict[str, Series]:
    """Return the scalars of the event files in a folder, by tag; nothing where there are none.

    Of a step that was written twice, by a run that was interrupted and went on from before it, the last value counts.
    """
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    if not any(folder.glob("*tfevents*")):
        return {}
    logging.getLogger("tensorboard").setLevel(logging.ERROR)
    events = EventAccumulator(str(folder), {"scalars": 0, **dict.fromkeys(NEGLECTED, 1)})
    events.Reload()
    found = {}
    for tag in events.Tags()["scalars"]:
        last = {event.step: event.value for event in events.Scalars(tag)}
        steps = sorted(last)
        found[tag] = Series(steps, [last[step] for step in steps])
    return found


def draw_curves(rows: Mapping[str, Sequence[Mapping[str, Series]]], step: str) -> Figure:
    """Draw a panel for each quantity, a colour for each row and a line for each of its runs.

    Args:
        rows: by a row's label, the curves of its runs by quantity.
        step: what a step is, such as ``"iteration"``.
    """
    from matplotlib import colormaps
    from matplotlib.figure import Figure

    titles = list(dict.fromkeys(title for runs in rows.values() for run in runs for title in run))
    colours = colormaps["tab10" if len(rows) <= 10 else "tab20"].colors
    columns = min(PANELS, len(titles))
    lines = -(-len(titles) // columns)
    figure = Figure(
        figsize=(max(6.0, 3.3 * columns), 2.7 * lines + 0.4 * -(-len(rows) // 3) + 0.2), layout="constrained"
    )
    axes = figure.subplots(lines, columns, squeeze=False).ravel()
    handles = {}
    for ax, title in zip(axes, titles, strict=False):
        for number, (label, runs) in enumerate(rows.items()):
            for run in runs:
                if title in run:
                    style = {"marker": "o", "ms": 3.5} if len(run[title].steps) < 20 else {}
                    colour = colours[number % len(colours)]
                    (handles[label],) = ax.plot(*run[title], color=colour, lw=1.2, alpha=0.85, **style)
        ax.set_title(title, fontsize=10)
        ax.set_xlabel(step, fontsize=9)
        ax.spines[["top", "right"]].set_visible(False)
        ax.grid(axis="y", color="#e5e5e5", lw=0.7)
    for ax in axes[len(titles) :]:
        ax.set_axis_off()
    figure.legend(handles.values(), handles, loc="outside upper left", ncols=3, frameon=False, fontsize=9)
    return figure
