"""StRA attention against its formula written out: unfolded values times masks, two rounds of mode attention."""

from __future__ import annotations

import math
from functools import partial
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...errors import KpstraError
from ...stra import StRAttention
from .measure import interleaved, ratios, saved_bytes

NAIVE, OURS = "naive", "ours"


class Shape(NamedTuple):
    """One attention: C channels in G groups on a map of ``height`` x ``width``."""

    channels: int
    groups: int
    height: int
    width: int
    batch: int


SHAPES = {
    "ResNet50, 256x128": Shape(512, 8, 16, 8, 16),
    "ResNet50, 384x192": Shape(512, 8, 24, 12, 16),
    "MobileNetV2, 256x128": Shape(960, 8, 16, 8, 16),
}


class NaiveStRA(nn.Module):
    """Eqs. 1 to 3 written out, with the weights of ``ours``; every step keeps its own tensor."""

    def __init__(self, ours: StRAttention) -> None:
        super().__init__()
        self.local, self.mode = ours.local, ours.mode

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Map (B, C, H, W) to (B, C, H, W) and the diversity loss (B,)."""
        return self.attend_modes(self.attend_neighbours(x))

    def attend_neighbours(self, x: Tensor) -> Tensor:
        """The local operator (eq. 2)."""
        batch, channels, height, width = x.shape
        groups, k = self.local.groups, self.local.kernel_size
        logits = self.local.mask(x)
        nu = F.unfold(logits[:, :groups], k, padding=k // 2).view(batch, groups, k * k, height, width)
        masks = F.softmax(logits[:, groups:].reshape(nu.shape) + nu, dim=2)
        values = F.unfold(self.local.value(x), k, padding=k // 2).view(batch, groups, -1, k * k, height, width)
        return (masks.unsqueeze(2) * values).sum(3).view(batch, channels, height, width)

    def attend_modes(self, s: Tensor) -> tuple[Tensor, Tensor]:
        """Mode attention (eqs. 1 and 3), mode interaction, and the second round."""
        batch, channels, height, width = s.shape
        groups = self.mode.groups
        nodes = s.view(batch, groups, -1, height * width)
        masks = F.softmax(self.mode.mask(s).flatten(2), dim=2)
        z = (masks.unsqueeze(2) * nodes).sum(3)  # B, G, n
        y = nodes + self._gate(self.mode.gate_norm, z, nodes, height, width) * z.unsqueeze(3)
        affinity = F.normalize(z @ z.transpose(1, 2), dim=2) * math.sqrt(groups)
        z = F.softmax(affinity, dim=2) @ z
        y = y + self._gate(self.mode.interaction_norm, z, y, height, width) * z.unsqueeze(3)
        return y.view(batch, channels, height, width), groups - masks.amax(1).sum(1)

    @staticmethod
    def _gate(norm: nn.Module, z: Tensor, nodes: Tensor, height: int, width: int) -> Tensor:
        scores = (z.unsqueeze(2) @ nodes).squeeze(2)  # B, G, H*W
        return torch.sigmoid(norm(scores.unflatten(2, (height, width)))).flatten(2).unsqueeze(2)


def check_equal(naive: nn.Module, ours: nn.Module, x: Tensor) -> float:
    """Return the largest difference of the two outputs for ``x``.

    Raises:
        KpstraError: they differ by more than rounding; nothing is then timed.
    """
    with torch.no_grad():
        expected, found = naive.eval()(x), ours.eval()(x)
    difference = max((a - b).abs().max().item() for a, b in zip(expected, found, strict=True))
    if not difference <= 1e-3 * expected[0].abs().max().item():
        raise KpstraError(f"bench stra: the naive formula and ours differ by {difference}; nothing is timed")
    return difference


def run(device: torch.device, repeats: int, names: list[str]) -> dict[str, Any]:
    """Measure the shapes ``names``; return JSON-able results by shape: ratios of each phase and of the bytes kept."""
    return {name: measure(SHAPES[name], device, repeats, name) for name in names}


def measure(shape: Shape, device: torch.device, repeats: int, label: str) -> dict[str, Any]:
    """Measure one shape: forward (evaluation), train step (forward and backward), bytes saved for the backward."""
    torch.manual_seed(0)
    ours = StRAttention(shape.channels, shape.groups).to(device)
    modules = {NAIVE: NaiveStRA(ours), OURS: ours}
    x = torch.randn(shape.batch, shape.channels, shape.height, shape.width, device=device, requires_grad=True)
    result: dict[str, Any] = {"shape": shape._asdict(), "largest difference": check_equal(*modules.values(), x)}
    for phase, step in (("forward", infer), ("train step", learn)):
        seconds = interleaved({who: partial(step, m, x) for who, m in modules.items()}, repeats, f"{label}, {phase}")
        result[phase] = ratios(seconds, NAIVE)
        for who, values in seconds.items():
            result[phase][who]["seconds"] = sorted(values)[len(values) // 2]
    own = [*ours.parameters(), *ours.buffers(), x]
    result["saved bytes"] = {who: saved_bytes(partial(m.train(), x), own) for who, m in modules.items()}
    return result


def infer(module: nn.Module, x: Tensor) -> tuple[Tensor, Tensor]:
    """Forward as in a test."""
    with torch.no_grad():
        return module.eval()(x)


def learn(module: nn.Module, x: Tensor) -> None:
    """Forward and backward from a given gradient of the output, gradients set anew."""
    module.train().zero_grad()
    x.grad = None
    y, diversity = module(x)
    torch.autograd.backward((y, diversity.mean()), (x.detach(), None))  # x has y's shape


def table(results: dict[str, Any]) -> str:
    """Return the results as a Markdown table."""
    lines = [
        "| attention | forward / naive | train step / naive | MB kept, naive | MB kept, ours | kept / naive |",
        "|---|---|---|---|---|---|",
    ]
    for name, result in results.items():
        times = [result[phase][OURS] for phase in ("forward", "train step")]
        cells = [f"{r['median']:.2f} ({r['min']:.2f} to {r['max']:.2f})" for r in times]
        naive, ours = (result["saved bytes"][who] for who in (NAIVE, OURS))
        cells += [f"{naive / 1e6:.1f}", f"{ours / 1e6:.1f}", f"{ours / naive:.2f}"]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)
