"""The curve of accuracy over alignment: a table and a picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from plugins.benchmarks.leaderboard.summary import Measured
from plugins.benchmarks.robustness.report import markdown
from plugins.benchmarks.robustness.sweep import CheckpointRun
from plugins.common.files import atomic_write
from plugins.errors import KpstraError, one_of

Curves = Mapping[str, Mapping[float, Mapping[str, float]]]  # run -> share of the way -> metric -> percent
ENDS = {0.0: "detected", 1.0: "aligned"}


def write(folder: Path, measured: Curves, runs: Sequence[CheckpointRun], metrics: Sequence[str] = ()) -> list[str]:
    """Write ``alignment.md`` and ``alignment.png``; return the table and their paths, for the console.

    Checkpoints of one name are shown as their mean and spread.

    Args:
        folder: of the files.
        measured: every run's numbers.
        runs: the checkpoints.
        metrics: those shown; by default the first that was measured.

    Raises:
        KpstraError: a metric was not measured, or a file cannot be written.
    """
    there = list(dict.fromkeys(name for curve in measured.values() for values in curve.values() for name in values))
    for name in metrics:
        one_of(name, there, "--metrics")
    shown = list(metrics) or there[:1]
    labels = list(dict.fromkeys(run.label for run in runs))
    gathered: dict[tuple[str, str], dict[float, Measured]] = {}
    for metric in shown:
        for label in labels:
            curves = [measured[run.key] for run in runs if run.label == label]
            if any(metric not in values for curve in curves for values in curve.values()):
                raise KpstraError(f"--metrics {metric}: not measured for {label}")
            gathered[metric, label] = {t: Measured.of([curve[t][metric] for curve in curves]) for t in curves[0]}
    shares = list(next(iter(gathered.values())))
    head = ["alignment", *(f"{metric}, {label}" for metric, label in gathered)]
    rows = [[ENDS.get(t, f"{t:.0%}"), *(str(curve[t]) for curve in gathered.values())] for t in shares]
    text = markdown([head, *rows])
    with atomic_write(folder / "alignment.md", "w") as stream:
        stream.write(f"{text}\n")
    _plot(folder / "alignment.png", gathered)
    return [text, str(folder / "alignment.md"), str(folder / "alignment.png")]


def _plot(path: Path, curves: Mapping[tuple[str, str], Mapping[float, Measured]]) -> None:
    from matplotlib.figure import Figure

    metrics = list(dict.fromkeys(metric for metric, _ in curves))
    figure = Figure(figsize=(1 + 4 * len(metrics), 3.6), layout="constrained")
    axes = figure.subplots(1, len(metrics), squeeze=False)[0]
    for ax, shown in zip(axes, metrics, strict=True):
        for (metric, label), curve in curves.items():
            if metric == shown:
                means, spreads = [m.mean for m in curve.values()], [m.spread or 0.0 for m in curve.values()]
                (line,) = ax.plot(list(curve), means, marker="o", ms=4, label=label)
                low, high = ([m + sign * s for m, s in zip(means, spreads, strict=True)] for sign in (-1, 1))
                ax.fill_between(list(curve), low, high, color=line.get_color(), alpha=0.15, lw=0)
        ax.set(xlabel="from the detected crop (0) to the aligned one (1)", ylabel=f"{shown}, %")
        ax.grid(alpha=0.3)
        ax.legend(fontsize="small")
    with atomic_write(path) as stream:
        figure.savefig(stream, format="png", dpi=150)
