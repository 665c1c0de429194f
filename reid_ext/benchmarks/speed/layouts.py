"""Images of a batch in channels-last memory beside NCHW, in torchreid's networks on a CPU: time and rounding."""

from __future__ import annotations

import copy
import statistics
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from plugins.benchmarks.speed.measure import interleaved, ratios
from plugins.benchmarks.speed.stra import infer
from plugins.common.memory import keep_freed_memory
from plugins.errors import one_of

from ...host import torchreid
from ...models.factory import register
from .networks import IDENTITIES, learn

NETWORKS = ("resnet50_fc512", "resnet50_stra", "mobilenetv2_x1_0", "mobilenetv2_x1_0_stra", "osnet_x1_0")
NCHW, NHWC = "contiguous", "channels last"
PHASES = ("forward", "train step")
MOST = 16  # images whose numbers are computed in float64, too


def run(
    names: Sequence[str], batches: Sequence[int], size: tuple[int, int], phase: str, repeats: int, limit: float
) -> dict[str, Any]:
    """Measure every network at every batch size, both layouts of the same images in turn; putting them so counts.

    Args:
        names: of torchreid's factory.
        batches: images in a batch; 2 or more for a train step.
        size: height and width.
        phase: one of :data:`PHASES`.
        repeats, limit: rounds, and seconds of one network at one batch size after which no further one begins.

    Returns:
        By ``<network>, <batch>``: the ratios over NCHW, the seconds, and how far features (in a train step gradients)
        are from those in float64.

    Raises:
        KpstraError: a name that is not in the factory.
    """
    register()
    for name in names:
        one_of(name, getattr(torchreid.models, "__model_factory"), "--networks")
    keep_freed_memory()
    step = infer if phase == PHASES[0] else train
    results: dict[str, Any] = {}
    for name in names:
        model = build(name)
        for batch in batches:
            images = torch.randn(batch, 3, *size)
            rounding = errors(model, images[:MOST], step)
            runs = {NCHW: partial(step, model, images), NHWC: partial(laid_out, step, model, images)}
            seconds = interleaved(runs, repeats, f"{name}, {batch}, {phase}", limit=limit)
            found: dict[str, Any] = ratios(seconds, NCHW)
            for layout, values in seconds.items():
                found[layout]["seconds"] = statistics.median(values)
            results[f"{name}, {batch}"] = {**found, "rounds": len(seconds[NCHW]), "error": rounding}
    return results


def train(model: nn.Module, images: Tensor) -> None:
    """Forward and backward."""
    learn(model, images, torch.arange(len(images)) % IDENTITIES)


def laid_out(step: Callable[..., Tensor | None], model: nn.Module, images: Tensor) -> Tensor | None:
    """Take a step with the images put channels last."""
    return step(model, put(images))


def put(images: Tensor) -> Tensor:
    """Return images (B, 3, H, W) laid out channels last."""
    return images.contiguous(memory_format=torch.channels_last)


def build(name: str) -> nn.Module:
    """Build a network of torchreid's factory with random weights."""
    torch.manual_seed(0)
    return torchreid.models.build_model(name, IDENTITIES, "softmax", pretrained=False, use_gpu=False)


def errors(model: nn.Module, images: Tensor, step: Callable[..., Tensor | None]) -> dict[str, float]:
    """Return how far each layout's features, or gradients in a train step, are from float64's: norms, as a share."""
    exact, found = copy.deepcopy(model).double(), {}
    for name, network, given in (
        (NCHW, model, images),
        (NHWC, model, put(images)),
        ("float64", exact, images.double()),
    ):
        numbers = step(network, given)
        if numbers is None:  # of a train step: its gradients
            numbers = torch.cat([p.grad.flatten() for p in network.parameters() if p.grad is not None])
        found[name] = numbers.double()
    wanted = found.pop("float64")
    return {name: ((numbers - wanted).norm() / wanted.norm()).item() for name, numbers in found.items()}


def table(results: dict[str, Any]) -> str:
    """Return the results as a Markdown table."""
    lines = [
        "| network | batch | ms, contiguous | ms, channels last | channels last / contiguous "
        "| error, contiguous | error, channels last |",
        "|---|---|---|---|---|---|---|",
    ]
    for key, one in results.items():
        network, batch = key.split(", ")
        ratio, ms = one[NHWC], [f"{one[layout]['seconds'] * 1e3:.0f}" for layout in (NCHW, NHWC)]
        cells = [network, batch, *ms, f"{ratio['median']:.2f} ({ratio['min']:.2f} to {ratio['max']:.2f})"]
        cells += [f"{one['error'][layout]:.1e}" for layout in (NCHW, NHWC)]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)
