"""The comparison as a Markdown table and as one bar chart."""

from __future__ import annotations

import io
import math
import textwrap
from collections.abc import Mapping
from pathlib import Path
from statistics import mean, stdev
from types import MappingProxyType

from ...common.files import atomic_write, read_json
from ...common.folders import RECORD
from .protocol import TESTS
from .runs import OURS, collect, collect_shares
from .variants import VARIANTS

PAPER = {"absolute": {"clean": "98.1", "affine": "77.27"}}  # Fig. 1
NOT_MEASURED = "not measured"
GREY, ORANGE, BLUE = "#8c8c8c", "#e08214", "#2166ac"

Accuracies = Mapping[str, Mapping[str, Mapping[int, float]]]  # test, variant, seed: percent


def spread(values: list[float], sign: str = "") -> str:
    """Return mean ± sample standard deviation; one value alone has no spread."""
    return f"{mean(values):{sign}.1f}" + (f" ± {stdev(values):.1f}" if len(values) > 1 else "")


def paired(accuracies: Accuracies, test: str, variant: str) -> list[float]:
    """Return a variant's accuracy minus its control's, for every seed that both have."""
    of, control = (accuracies[test].get(name, {}) for name in (variant, VARIANTS[variant].control))
    return [of[seed] - control[seed] for seed in sorted(of) if seed in control]


def table(accuracies: Accuracies, shares: Mapping[str, list[float]] = MappingProxyType({})) -> str:
    """Return the accuracies in percent, and below them the differences from the controls, as Markdown.

    ``shares``: of B's variance, by variant, those that images decide.
    """
    shown = [variant for variant in VARIANTS if any(variant in variants for variants in accuracies.values())]
    seeds = {v: {s for test in accuracies.values() for s in test.get(v, ())} for v in shown}
    head = ["position encoding", *TESTS, "% of B by images", "seeds"]
    lines = [row(head), row(["---"] * len(head))]
    for v in shown:
        cells = [spread(list(accuracies[t][v].values())) if v in accuracies[t] else NOT_MEASURED for t in TESTS]
        share = spread([100 * value for value in shares[v]]) if v in shares else ""
        lines.append(row([VARIANTS[v].title, *cells, share, str(len(seeds[v]))]))
    for v, numbers in PAPER.items():
        lines.append(row([f"the paper's {VARIANTS[v].title}", *(numbers.get(t, "") for t in TESTS), "", ""]))
    head = ["minus its control, seed by seed", *TESTS]
    lines += ["", row(head), row(["---"] * len(head))]
    for v in shown:
        if VARIANTS[v].control in shown:
            differences = [paired(accuracies, t, v) for t in TESTS]
            lines.append(row([VARIANTS[v].title, *(spread(d, "+") if d else NOT_MEASURED for d in differences)]))
    return "\n".join(lines)


def row(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


def chart(accuracies: Accuracies, title: str):
    """Draw a panel for each test: bars for the mean, lines for the spread, dots for seeds, orange for the control.

    In brackets: KP-RPE minus its control, seed by seed. The axes do not begin at zero.

    Returns:
        A matplotlib figure.
    """
    from matplotlib.figure import Figure

    shown = [variant for variant in VARIANTS if any(variant in variants for variants in accuracies.values())]
    tests = [test for test in TESTS if accuracies[test]]
    columns, rows = min(3, len(tests)), math.ceil(len(tests) / 3)
    figure = Figure(figsize=(3 + 2.8 * columns, 0.6 + (0.8 + 0.27 * len(shown)) * rows), dpi=110, layout="constrained")
    grid = figure.subplots(rows, columns, sharey=True, squeeze=False)
    for ax in grid.flat[len(tests) :]:
        ax.set_axis_off()
    for test, ax in zip(tests, grid.flat[: len(tests)], strict=True):
        lowest = 100.0
        for place, variant in enumerate(shown):
            values = list(accuracies[test].get(variant, {}).values())
            if not values:
                continue
            kind, control = VARIANTS[variant], accuracies[test].get(VARIANTS[variant].control)
            colour = BLUE if kind.knows_keypoints else ORANGE if kind.control is None else GREY
            error = stdev(values) if len(values) > 1 else None
            ax.barh(place, mean(values), color=colour, xerr=error, ecolor="black", capsize=3)
            ax.plot(values, [place] * len(values), "o", color="white", mec="black", mew=0.6, ms=3.5)
            if control:
                ax.plot([mean(control.values())] * 2, [place - 0.4, place + 0.4], color=ORANGE, lw=2)
            differences = paired(accuracies, test, variant) if kind.knows_keypoints else []
            label = f"{mean(values):.1f}" + (f"  ({spread(differences, '+')})" if differences else "")
            ax.annotate(
                label,
                (0.02, place),
                xycoords=("axes fraction", "data"),
                va="center",
                fontsize=8,
                color="white",
                weight="bold",
            )
            lowest = min(lowest, *values)
        highest = max(max(seeds.values()) for seeds in accuracies[test].values())
        margin = max(1.0, highest - lowest)
        ax.set_xlim(max(0.0, lowest - margin), min(100.0, highest + 0.25 * margin))
        ax.set_title(f"{test}: {textwrap.fill(TESTS[test].title, 42 - len(test))}", fontsize=8)
        ax.tick_params(labelsize=8)
        ax.spines[["top", "right"]].set_visible(False)
    grid[0, 0].set_yticks(range(len(shown)), [VARIANTS[variant].title for variant in shown])
    grid[0, 0].invert_yaxis()
    figure.suptitle(title, fontsize=10)
    return figure


def write_report(folder: Path) -> str:
    """Write ``report.md`` and ``toy.png`` from the results in ``folder``; return the table."""
    accuracies, settings = collect(folder), read_json(folder / RECORD, OURS)
    what = f"{settings['digits']}: {settings['training digits']:,} in training, {settings['test digits']:,} in the test"
    tables = table(accuracies, collect_shares(folder))
    tests = "\n".join(f"- **{name}**: {test.title}" for name, test in TESTS.items() if accuracies[name])
    text = (
        f"# The toy: accuracy in percent\n\n{what}; {settings['steps']:,} steps. Mean ± sample standard deviation over "
        "the seeds. % of B by images: the share of the bias's variance that images decide, of KP-RPE alone.\n\n"
        f"{tests}\n\n{tables}\n"
    )
    with atomic_write(folder / "report.md") as stream:
        stream.write(text.encode())
    picture = io.BytesIO()
    title = (
        "Do the keypoints earn something over the control without them (orange)? In brackets: by how much.\n"
        f"{settings['digits']}, accuracy in %; the axes do not begin at 0"
    )
    chart(accuracies, title).savefig(picture, format="png")
    with atomic_write(folder / "toy.png") as stream:
        stream.write(picture.getvalue())
    return tables
