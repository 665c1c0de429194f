"""The cost of StRA in torchreid's ResNet50 over the 3x3 convolutions it replaces."""

from __future__ import annotations

import statistics
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from plugins.benchmarks.speed.measure import interleaved, ratios, saved_bytes
from plugins.benchmarks.speed.stra import NaiveStRA, check_equal, infer
from plugins.stra import StRABottleneck

BASE, OURS, NAIVE, WITHOUT = "resnet50_fc512", "resnet50_stra", "resnet50_stra, naive", "resnet50_stra, no attention"
IDENTITIES, SIZE = 751, (256, 128)


class NoAttention(nn.Module):
    """In place of StRA: what remains of the network is the least that any attention can cost."""

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return (B, C, H, W) unchanged, and no diversity."""
        return x, x.new_zeros(x.shape[0])


def networks() -> dict[str, nn.Module]:
    """Build the baseline, ours, ours with the formula written out (same weights), and ours without any attention."""
    from ... import register
    from ...host import torchreid

    register()
    built = {}
    for name in (BASE, OURS, NAIVE, WITHOUT):
        torch.manual_seed(0)
        model = torchreid.models.build_model(name.split(",")[0], IDENTITIES, "softmax", pretrained=False, use_gpu=False)
        for block in [m for m in model.modules() if isinstance(m, StRABottleneck)]:
            if name == NAIVE:
                block.conv2 = NaiveStRA(block.conv2)
            elif name == WITHOUT:
                block.conv2 = NoAttention()
        built[name] = model
    return built


def run(device: torch.device, repeats: int, batch: int, size: tuple[int, int]) -> dict[str, Any]:
    """Measure evaluation forwards, train steps and kept bytes on ``batch`` images of ``size`` (height, width).

    Raises:
        KpstraError: the naive network's output is not ours.
    """
    models = {name: model.to(device) for name, model in networks().items()}
    x = torch.randn(batch, 3, *size, device=device)
    labels = torch.arange(batch, device=device) % IDENTITIES
    difference = check_equal(_Paired(models[NAIVE]), _Paired(models[OURS]), x)
    results: dict[str, Any] = {"shape": {"batch": batch, "image": list(size)}, "largest difference": difference}
    for phase, step in (("forward", infer), ("train step", partial(learn, labels=labels))):
        runs = {name: partial(step, model, x) for name, model in models.items()}
        seconds = interleaved(runs, repeats, phase)
        results[phase] = ratios(seconds, BASE)
        for name, values in seconds.items():
            results[phase][name]["seconds"] = statistics.median(values)
    results["saved bytes"] = {
        name: saved_bytes(partial(model.train(), x), [*model.parameters(), *model.buffers()])
        for name, model in models.items()
    }
    return results


def learn(model: nn.Module, x: Tensor, labels: Tensor) -> None:
    """Forward and backward with the host's loss; the optimiser is the same for all and left out."""
    model.train().zero_grad()
    F.cross_entropy(model(x), labels).backward()


class _Paired(nn.Module):
    """The network's features as a tuple, as attentions return theirs."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, x: Tensor) -> tuple[Tensor]:
        return (self.model(x),)


def table(results: dict[str, Any]) -> str:
    """Return the results as a Markdown table."""
    kept = results["saved bytes"]
    lines = [f"| network | forward / {BASE} | train step / {BASE} | MB kept for backward |", "|---|---|---|---|"]
    for name in kept:
        times = [results[phase][name] for phase in ("forward", "train step")]
        cells = [f"{r['median']:.2f} ({r['min']:.2f} to {r['max']:.2f})" for r in times]
        lines.append(f"| {name} | {' | '.join(cells)} | {kept[name] / 1e6:.0f} |")
    return "\n".join(lines)
