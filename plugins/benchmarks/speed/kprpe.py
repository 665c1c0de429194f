"""KP-RPE in a transformer against no bias, a plain relative table, iRPE, and the paper's formula written out."""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...common.memory import keep_freed_memory
from ...kprpe import KeypointRPE, WindowedKeypointRPE, relative_buckets
from ...kprpe.attention.dense import attend
from ...kprpe.attention.windows import attend_windows, rotate_windows
from ...kprpe.position.global_grid import patch_centres
from ...kprpe.position.lookup import lookup
from ...kprpe.position.rotary import rotate
from .measure import interleaved, ratios, saved_bytes

FORMS = {  # our implementation, with the settings of its modules
    "KP-RPE ours": {},
    "KP-RPE ours, image grid": {"grid": "image"},
    "second order": {"formulation": "second_order"},
    "nonlinear": {"formulation": "nonlinear"},
    "rotary, body": {"formulation": "none", "rotary": "body"},
}
VARIANTS = ("none", "plain RPE", "iRPE contextual", "KP-RPE naive", *FORMS)


class Shape(NamedTuple):
    """A transformer over windows of ``height`` x ``width`` tokens, ``windows`` (down, across) in every image."""

    depth: int
    dim: int
    heads: int
    ratio: int
    height: int
    width: int
    keypoints: int
    batch: int
    windows: tuple[int, int] = (1, 1)

    @property
    def places(self) -> int:
        """How many windows an image has; one is global attention."""
        return self.windows[0] * self.windows[1]

    def variants(self) -> list[str]:
        """Return the variants that differ here: a whole image has one grid only."""
        return [name for name in VARIANTS if self.places > 1 or name != "KP-RPE ours, image grid"]

    def position_encoding(self, variant: str) -> KeypointRPE | WindowedKeypointRPE:
        """Return our module for all layers, with a mean pose where it wants one."""
        if self.places == 1:
            rpe = KeypointRPE(self.keypoints, (self.height, self.width), self.heads, self.depth, **FORMS[variant])
        else:
            map_size = (self.height * self.windows[0], self.width * self.windows[1])
            window, shifts = (self.height, self.width), [(0, 0)] * self.depth
            rpe = WindowedKeypointRPE(self.keypoints, map_size, window, self.heads, shifts, **FORMS[variant])
        if rpe.pose is not None:
            rpe.pose.fit(torch.rand(100, self.keypoints, 2))
        return rpe


SHAPES = {
    "ViT-S": Shape(12, 512, 8, 5, 14, 14, 5, 2),
    "ViT-B": Shape(24, 512, 16, 3, 14, 14, 5, 2),
    "SwinGait-2D stage 1": Shape(4, 256, 16, 4, 3, 5, 17, 16, (5, 2)),
    "SwinGait-2D stage 2": Shape(2, 512, 32, 4, 3, 5, 17, 16, (5, 2)),
}


class Transformer(nn.Module):
    """Pre-norm attention and MLP blocks; the bias of a variant goes in as SDPA's mask."""

    def __init__(self, shape: Shape, variant: str) -> None:
        super().__init__()
        self.shape, self.variant = shape, variant
        d, hidden = shape.dim, shape.dim * shape.ratio
        self.blocks = nn.ModuleList(
            nn.ModuleDict(
                {
                    "norm1": nn.LayerNorm(d),
                    "qkv": nn.Linear(d, 3 * d),
                    "proj": nn.Linear(d, d),
                    "norm2": nn.LayerNorm(d),
                    "mlp": nn.Sequential(nn.Linear(d, hidden), nn.GELU(), nn.Linear(hidden, d)),
                }
            )
            for _ in range(shape.depth)
        )
        index, buckets = relative_buckets(shape.height, shape.width)
        self.register_buffer("index", index.clone())
        self.register_buffer("centres", patch_centres(shape.height, shape.width))
        self.buckets = buckets
        if variant == "plain RPE":
            self.table = nn.Parameter(torch.zeros(shape.depth, shape.heads, buckets))
        elif variant == "iRPE contextual":
            self.table = nn.Parameter(torch.zeros(shape.depth, buckets, d // shape.heads))
        elif variant == "KP-RPE naive":
            self.linear = nn.Linear(2 * shape.keypoints, shape.depth * shape.heads * buckets)
        elif variant in FORMS:
            self.rpe = shape.position_encoding(variant)

    def forward(self, x: Tensor, keypoints: Tensor) -> Tensor:
        """x (batch * places, N, dim), keypoints (batch, L, 2)."""
        shared = self.prepare(keypoints)
        for layer, block in enumerate(self.blocks):
            n, tokens, dim = x.shape
            qkv = block["qkv"](block["norm1"](x)).view(n, tokens, 3, self.shape.heads, -1)
            q, k, v = qkv.permute(2, 0, 3, 1, 4)
            y = self.attend(q, k, v, shared, layer)
            x = x + block["proj"](y.transpose(1, 2).reshape(n, tokens, dim))
            x = x + block["mlp"](block["norm2"](x))
        return x

    def prepare(self, keypoints: Tensor):
        """Return what is computed once a forward."""
        if self.variant == "KP-RPE naive":  # eqs. 8 to 10 as written: (B, N, layers * heads * K)
            d = (self.centres[None, :, None] - keypoints[:, None]).flatten(2)
            return self.linear(d).unflatten(2, (self.shape.depth, self.shape.heads, self.buckets))
        if self.variant not in FORMS:
            return None
        if self.rpe.rotary == "none":
            return self.rpe.factors(keypoints)
        head_dim = self.shape.dim // self.shape.heads
        layer = () if self.shape.places == 1 else (0,)  # windows of all layers lie alike here
        return self.rpe.rotation(keypoints, None, head_dim, *layer)

    def attend(self, q: Tensor, k: Tensor, v: Tensor, shared, layer: int) -> Tensor:
        """Attend under the variant's bias; ours with our attention, the others with SDPA."""
        if self.variant == "none":
            return F.scaled_dot_product_attention(q, k, v)
        if self.variant not in FORMS:
            return F.scaled_dot_product_attention(q, k, v, self.bias(shared, layer, q))
        whole, rotary = self.shape.places == 1, self.rpe.rotary != "none"
        if rotary:
            turn = rotate if whole else rotate_windows
            q, k = turn(q, shared), turn(k, shared)
        if whole:
            return attend(q, k, v, None if rotary else self.rpe.bias(shared, layer, q.dtype))
        return attend_windows(q, k, v, None if rotary else self.rpe.frame_bias(shared, layer))

    def bias(self, shared, layer: int, q: Tensor) -> Tensor:
        """Return the attention bias of one layer for all windows, written plainly."""
        if self.variant == "plain RPE":
            return lookup(self.table[layer], self.index)
        if self.variant == "iRPE contextual":
            values = q @ self.table[layer].T * q.shape[-1] ** -0.5
            return values.gather(3, self.index.expand(*q.shape[:2], -1, -1))
        f = shared[:, :, layer].transpose(1, 2)  # B, heads, N, K
        bias = f.gather(3, self.index.expand(*f.shape[:2], -1, -1))
        windows = self.shape.places
        return bias if windows == 1 else bias.unsqueeze(1).expand(-1, windows, -1, -1, -1).flatten(0, 1)


def run(device: torch.device, repeats: int, names: list[str]) -> dict:
    """Measure the shapes ``names``; return JSON-able results by shape, phase and variant.

    On a CPU freed memory is kept, as our runs do: else fresh pages cost more than the arithmetic of a bias.
    """
    if device.type == "cpu":
        keep_freed_memory()
    results = {}
    for name in names:
        shape = SHAPES[name]
        torch.manual_seed(0)
        networks = {variant: Transformer(shape, variant).to(device) for variant in shape.variants()}
        x = torch.randn(shape.batch * shape.places, shape.height * shape.width, shape.dim, device=device)
        keypoints = torch.rand(shape.batch, shape.keypoints, 2, device=device)

        def forward(net: Transformer, x: Tensor = x, keypoints: Tensor = keypoints) -> Tensor:
            with torch.no_grad():
                return net.eval()(x, keypoints)

        def train(net: Transformer, x: Tensor = x, keypoints: Tensor = keypoints) -> None:
            net.train()(x, keypoints).square().mean().backward()

        result: dict = {"shape": shape._asdict()}
        for phase, step in (("forward", forward), ("train step", train)):
            runs = {variant: (lambda net=net, step=step: step(net)) for variant, net in networks.items()}
            seconds = interleaved(runs, repeats, f"{name}, {phase}")
            result[phase] = ratios(seconds, "none")
            result[phase]["none"]["seconds"] = sorted(seconds["none"])[len(seconds["none"]) // 2]
        kept = {
            v: saved_bytes(lambda net=net: net.train()(x, keypoints), [*net.parameters(), *net.buffers()])  # noqa: B023
            for v, net in networks.items()
        }
        result["saved bytes beyond none"] = {v: kept[v] - kept["none"] for v in networks}
        result["bytes of f(P) per image"] = {v: _table_bytes(net, keypoints) for v, net in networks.items()}
        results[name] = result
    return results


@torch.no_grad()
def _table_bytes(net: Transformer, keypoints: Tensor) -> int:
    """Return the size of what depends on the image and serves all layers: f(P) itself, or its factors."""
    shared = net.prepare(keypoints)
    tensors = [shared] if isinstance(shared, Tensor) else [t for t in shared or () if isinstance(t, Tensor)]
    return sum(t.untyped_storage().nbytes() for t in tensors) // net.shape.batch


def table(results: dict) -> str:
    """Return the results as a Markdown table."""
    lines = [
        "| shape | bias | forward / none | train step / none | kB of f(P) | MB kept for backward beyond none |",
        "|---|---|---|---|---|---|",
    ]
    for name, result in results.items():
        for v in result["forward"]:
            times = [result[phase][v] for phase in ("forward", "train step")]
            cells = [f"{r['median']:.2f} ({r['min']:.2f} to {r['max']:.2f})" for r in times]
            kilobytes = result["bytes of f(P) per image"][v] / 1e3
            megabytes = result["saved bytes beyond none"][v] / 1e6
            lines.append(f"| {name} | {v} | {cells[0]} | {cells[1]} | {kilobytes:.1f} | {megabytes:.1f} |")
    return "\n".join(lines)
