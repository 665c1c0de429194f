"""Draw what interaction is: B around three queries while one joint moves, in every form of f(P).

Tables of the first order (the paper's), the second order and the nonlinear form are fitted to one bias that relates
queries to a joint; the picture shows how each changes B when the joint moves.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from ..common.arguments import Parser
from ..errors import KpstraError

QUERIES = ((6, 3), (6, 8), (1, 5))  # rows and columns of patches
BEFORE, MOVE = ((0.1, 0.4), (0.75, 0.25), (0.6, 0.9)), (0.5, 0.0)  # joints; the first one moves


def add_arguments(parser: Parser) -> None:
    """The file, and how long to fit."""
    parser.add_argument("--output", type=Path, default="docs/interaction.png", metavar="FILE", help="the picture")
    parser.add_argument("--steps", type=int, default=600, metavar="N", help="of each fit")


def run(args: argparse.Namespace) -> None:
    """Fit the forms and draw."""
    import torch

    from ..benchmarks.toy.interaction import FORMS, GRID, change, fit, wanted
    from ..common.files import atomic_write
    from ..kprpe.draw import draw_bias

    if args.steps < 10:
        raise KpstraError(f"--steps: {args.steps}: expected 10 or more")
    before = torch.tensor(BEFORE)
    after = before.clone()
    after[0] += torch.tensor(MOVE)
    changes, titles = [], ["wanted"]
    for formulation, name in FORMS.items():
        rpe = fit(formulation, args.steps)
        if not changes:
            changes.append(wanted(rpe, after[None])[0] - wanted(rpe, before[None])[0])
        result = change(rpe, before, after)
        changes.append(result.after - result.before)
        titles.append(f"{name}\n{result.explained:.0%} explained")
    maps, joints = torch.stack(changes), after.expand(len(changes), -1, -1)
    figure = draw_bias(maps, GRID, QUERIES, joints, titles=titles, moved_from=before, label="change of B(i, j)")
    with atomic_write(args.output) as file:
        figure.savefig(file, format="png")
    print(f"{args.output}: {', '.join(title.replace(chr(10), ' ') for title in titles[1:])}")
