"""Arguments of the optimiser that a model's own way of building it leaves out."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch

from .rates import KNOWN_TO

PASSES_ALL = KNOWN_TO["optimizer_cfg.lr_factors"]  # our models with rates by part, which build it here
PASSES = {"SwinGait": ("lr", "weight_decay")}  # OpenGait's, whose groups have these alone


def without_effect(settings: Mapping[str, Any], defaults: Mapping[str, Any], besides: Sequence[str]) -> Iterator[str]:
    """Yield a sentence for each key of ``optimizer_cfg`` that was given and has no effect.

    A key with the value of the host's default counts as not given: ``momentum`` stands there beside every optimiser.

    Args:
        settings: merged; ``optimizer_cfg.solver`` names an optimiser of torch.
        defaults: the host's ``optimizer_cfg``.
        besides: keys that are no argument of the optimiser.
    """
    given, model = settings["optimizer_cfg"], settings["model_cfg"].get("model")
    solver = getattr(torch.optim, given["solver"])
    takes = list(inspect.signature(solver).parameters)
    passed = takes if model in PASSES_ALL else PASSES.get(model, inspect.getfullargspec(solver.__init__).args)
    name = solver.__name__
    for key, value in given.items():
        if key in ("solver", *besides, *passed) or (key in defaults and value == defaults[key]):
            continue
        if key not in takes and key in defaults:
            yield f"optimizer_cfg.{key}: has no effect: {name} does not take it; give optimizer_cfg.solver first"
        elif key in takes:
            yield f"optimizer_cfg.{key}: has no effect: OpenGait does not pass it on to {name} for {model}"
