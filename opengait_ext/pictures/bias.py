"""The picture of what a trained KP-RPE does: the bias of one window under the keypoints of different frames."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from plugins.common.files import atomic_write
from plugins.errors import KpstraError
from plugins.kprpe import KPRPEConfig, WindowedKeypointRPE

from ..models.tokens import TOKENS

TABLE = re.compile(r"(transformer\.layers\.(\d+)\.blocks\.(\d+)\.attn)\.kprpe\.table_weight")


def tables(state: Mapping[str, Tensor], model_cfg: Mapping[str, Any]) -> dict[str, WindowedKeypointRPE]:
    """Build the position encodings of a SwinGait checkpoint alone, by the name of their attention.

    Args:
        state: the checkpoint's ``model``.
        model_cfg: the settings that it was trained with.

    Raises:
        KpstraError: the checkpoint has no KP-RPE.
    """
    settings = dict(model_cfg.get("kprpe") or {})
    settings.pop("confidence", None)
    config = KPRPEConfig.of({"num_keypoints": 17, **settings})
    transformer = model_cfg.get("transformer") or {}
    default = (3, 3, 5) if "3D" in model_cfg["model"] else (1, 3, 5)
    window, heads = tuple(transformer.get("window", default)), transformer.get("num_heads", (16, 32))
    found = {}
    for match in filter(None, map(TABLE.fullmatch, state)):
        stage, block = int(match[2]), int(match[3])
        shift = tuple(w // 2 if block % 2 else 0 for w in window)
        rpe = WindowedKeypointRPE(
            config.num_keypoints,
            TOKENS,
            window,
            heads[stage],
            [shift],
            grid=config.windows_grid,
            formulation=config.formulation,
            distance=config.distance,
            ratio=config.ratio,
            shrink=True,
            standardised=config.standardised,
            keypoints=config.keypoints,
            rotary=config.rotary,
        )
        rpe.load_state_dict({name: state[f"{match[1]}.kprpe.{name}"] for name in rpe.state_dict()})
        found[match[1]] = rpe.eval()
    if not found:
        raise KpstraError("biases: the checkpoint holds no KP-RPE tables")
    return found


@torch.no_grad()
def draw(rpe: WindowedKeypointRPE, silhouettes: np.ndarray, keypoints: np.ndarray, path: Path) -> Path:
    """Draw B_ij of the first window, mean over heads: a row for each person, a column for each query i.

    Args:
        silhouettes: (people, H, W), one frame each.
        keypoints: (people, L, 3) in pixels of the silhouettes.
    """
    from plugins.kprpe.draw import draw_bias

    height, width = silhouettes.shape[1:]
    points = torch.from_numpy((keypoints[..., :2] + 0.5) / [width, height]).float()
    plane = tuple(min(size, side) for size, side in zip(rpe.window_size[1:], TOKENS, strict=True))
    n = plane[0] * plane[1]
    bias = rpe.frame_bias(rpe.factors(points), 0, len(points), TOKENS)[:, 0, :, :n, :n].mean(1)
    bias = bias.expand(len(points), -1, -1)
    middle = plane[0] // 2
    queries = [(middle, 0), (middle, plane[1] // 2), (middle, plane[1] - 1)]
    figure = draw_bias(bias, plane, queries, points, silhouettes, [f"person {i + 1}" for i in range(len(points))])
    with atomic_write(path) as stream:
        figure.savefig(stream, format="png")
    return path
