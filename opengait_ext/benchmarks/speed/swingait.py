"""SwinGait-2D at the paper's size: what KP-RPE adds to it, and its window transformer against the host's own."""

from __future__ import annotations

import copy
import statistics
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from plugins.benchmarks.speed.measure import interleaved, ratios, saved_bytes
from plugins.common.memory import keep_freed_memory
from plugins.errors import KpstraError, one_of

from ...training.session import choose_device
from .scaling import SIZES, batch_of, forward, host_models, train_step

NETWORKS = ("SwinGait-2D", "SwinGait-2D + KP-RPE")
SEQUENCES, FRAMES = 2, 15
OURS, HOSTS = "transformer of SwinGait-2D", "the host's, same weights"


def run(host: str, size: str, repeats: int, device: str = "auto") -> dict[str, Any]:
    """Measure networks of ``size`` (``small``, ``full``) over the host that ``host`` names.

    Returns:
        For the pair of networks and the pair of transformers: shape, and for each phase the ratios and seconds of each.
    """
    one_of(size, SIZES, "--size")
    device = choose_device(device)
    if device == "cpu":
        keep_freed_memory()
    with host_models(device, host) as build:
        networks = {name: build(config) for name, config in zip(NETWORKS, SIZES[size], strict=True)}
        batches = {name: batch_of(model, SEQUENCES, FRAMES) for name, model in networks.items()}
        results = {
            "networks": _measure(
                {name: partial(forward, model, batches[name]) for name, model in networks.items()},
                {name: partial(train_step, model, batches[name]) for name, model in networks.items()},
                "SwinGait-2D",
                repeats,
            )
        }
        results["networks"]["saved bytes"] = {
            name: saved_bytes(partial(_train_forward, model, batches[name]), [*model.parameters(), *model.buffers()])
            for name, model in networks.items()
        }
        ours = networks["SwinGait-2D"].transformer
        theirs = hosts_transformer(ours, networks["SwinGait-2D"].cfgs["model_cfg"])
        x = torch.randn(SEQUENCES, ours.patch_embed.in_chans, FRAMES, 30, 20, device=next(ours.parameters()).device)
        difference = _largest_difference(infer(ours, x), infer(theirs, x))
        results["transformers"] = _measure(
            {HOSTS: partial(infer, theirs, x), OURS: partial(infer, ours, x)},
            {HOSTS: partial(learn, theirs, x), OURS: partial(learn, ours, x)},
            HOSTS,
            repeats,
        )
        results["transformers"]["largest difference of outputs"] = difference
    results["shape"] = {"sequences": SEQUENCES, "frames": FRAMES, "silhouette": [64, 44], "size": size}
    return results


def hosts_transformer(ours: nn.Module, model_cfg: dict) -> nn.Module:
    """Build the host's own window transformer of the same size, with the weights of ours."""
    attention = [block.attn for layer in ours.layers for block in layer.blocks]
    from modeling.models.swingait import SwinTransformer3D  # of the host that is active

    theirs = SwinTransformer3D(
        patch_size=[1, 2, 2],
        in_chans=model_cfg["Backbone"]["channels"][1],
        embed_dim=attention[0].dim,
        depths=[len(layer.blocks) for layer in ours.layers],
        num_heads=[layer.blocks[0].attn.num_heads for layer in ours.layers],
        window_size=list(attention[0].window_size),
        downsample=[1, 0],
        drop_path_rate=0.1,
        patch_norm=True,
    )
    theirs.num_features, theirs.norm = ours.num_features, copy.deepcopy(ours.norm)  # the host's is 512 wide
    theirs.load_state_dict(ours.state_dict())
    return theirs.to(next(ours.parameters()).device)


def infer(transformer: nn.Module, x: Tensor) -> Tensor:
    """Forward as in a test."""
    set_mode(transformer, False)
    with torch.no_grad():
        return transformer(x)


def learn(transformer: nn.Module, x: Tensor) -> None:
    """Forward and backward."""
    set_mode(transformer, True)
    transformer.zero_grad()
    transformer(x).square().mean().backward()


def _train_forward(model: nn.Module, batch: tuple) -> dict:
    model.train()
    return model(batch)


def set_mode(network: nn.Module, training: bool) -> None:
    """``train(training)`` of every module: OpenGait's transformer overrides it."""
    for module in network.modules():
        module.training = training


def _measure(forwards: dict, steps: dict, base: str, repeats: int) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for phase, runs in (("forward", forwards), ("train step", steps)):
        seconds = interleaved(runs, repeats, f"{base}, {phase}")
        result[phase] = ratios(seconds, base)
        result[phase][base]["seconds"] = statistics.median(seconds[base])
    return result


def _largest_difference(a: Tensor, b: Tensor) -> float:
    difference = (a - b).abs().max().item()
    if difference > 1e-3 * b.abs().max().item():
        raise KpstraError(f"bench: our transformer's outputs differ from the host's by {difference}")
    return difference


def table(results: dict[str, Any]) -> str:
    """Return the results as a Markdown table."""
    lines = ["| what | over | forward | train step |", "|---|---|---|---|"]
    for pair, base in (("networks", "SwinGait-2D"), ("transformers", HOSTS)):
        for name in results[pair]["forward"]:
            if name != base:
                cells = [results[pair][phase][name] for phase in ("forward", "train step")]
                shown = " | ".join(f"{r['median']:.3f} ({r['min']:.3f} to {r['max']:.3f})" for r in cells)
                lines.append(f"| {name} | {base} | {shown} |")
    return "\n".join(lines)
