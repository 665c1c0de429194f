"""StRA's attention, its formula written out, and the 3x3 convolution that it replaces."""

from __future__ import annotations

from functools import partial
from itertools import product
from typing import Any

import torch
from torch import Tensor, nn

from ...stra import StRAttention
from ..speed.stra import SHAPES, NaiveStRA, check_equal
from .tables import Part
from .throughput import PRECISIONS, autocast, measure

BATCHES, LIMIT = (32, 128), 0.5  # images; seconds of a phase at most
LAYOUTS = {"contiguous": torch.contiguous_format, "channels_last": torch.channels_last}
SHAPE = "ResNet50, 256x128"


def parts(device: torch.device, repeats: int, batches: tuple[int, ...] = BATCHES) -> list[Part]:
    """Return what measures the three on maps of :data:`SHAPE`, a part for each batch, layout and precision.

    Raises:
        KpstraError: from a part: the formula's output is not ours.
    """
    shape = SHAPES[SHAPE]
    torch.manual_seed(0)
    ours = StRAttention(shape.channels, shape.groups).to(device)
    convolution = nn.Conv2d(shape.channels, shape.channels, 3, padding=1, bias=False).to(device)
    modules = {"3x3 convolution": convolution, "StRA": ours, "StRA, formula written out": NaiveStRA(ours)}

    def part(batch: int, layout: str, precision: str) -> list[dict[str, Any]]:
        x, memory_format = torch.randn(batch, shape.channels, shape.height, shape.width, device=device), LAYOUTS[layout]
        check_equal(modules["StRA, formula written out"], ours, x)
        x = x.to(memory_format=memory_format).requires_grad_()
        convolution.to(memory_format=memory_format)
        steps = {"forward": partial(_infer, x, precision), "train step": partial(_learn, x, precision)}
        label = f"StRA, batch {batch}, {layout}, {precision}"
        return measure(modules, steps, batch, repeats, LIMIT, label, precision=precision, layout=layout)

    return [partial(part, *setting) for setting in product(batches, LAYOUTS, PRECISIONS)]


def _infer(x: Tensor, precision: str, module: nn.Module) -> object:
    module.eval()
    with torch.no_grad(), autocast(x.device, precision):
        return module(x)


def _learn(x: Tensor, precision: str, module: nn.Module) -> None:
    module.train().zero_grad()
    x.grad = None
    with autocast(x.device, precision):
        outputs = module(x)
    y, *diversity = outputs if isinstance(outputs, tuple) else (outputs,)
    sum((d.mean() for d in diversity), y.float().square().mean()).backward()
