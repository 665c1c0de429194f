"""Pretrained weights of timm's transformers: timm's own, a local file, or one in SOLIDER's names."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import timm
import torch
from timm.models import swin_transformer, vision_transformer
from torch import Tensor

from plugins.common.checkpoints import FitReport, fit
from plugins.errors import KpstraError

from ..training.checkpoints import load_checkpoint
from .backbones import BACKBONES, build_backbone
from .transformers import ReidTransformer

WRAPPERS = ("teacher", "state_dict", "model")  # what files keep weights under
SOLIDER = {  # part of a name there -> here
    r"^stages\.": "layers.",
    r"^patch_embed\.projection\.": "patch_embed.proj.",
    r"\.attn\.w_msa\.": ".attn.",
    r"\.ffn\.layers\.0\.0\.": ".mlp.fc1.",
    r"\.ffn\.layers\.1\.": ".mlp.fc2.",
    r"^norm3\.": "norm.",
}


def load_backbone(model: ReidTransformer, source: bool | str | Path = True) -> FitReport:
    """Fill a transformer's backbone with pretrained weights, resized to its images where they are of other ones.

    Args:
        model: one of :data:`reid_ext.models.transformers.TRANSFORMERS`.
        source: ``True`` for what timm publishes under the backbone's name (downloaded once), or the path of a file with
            the names of timm, of Swin's authors, or of SOLIDER (mmseg's).

    Raises:
        KpstraError: nothing to download from, an unreadable file, or one that fits nowhere.
    """
    name = model.backbone_name
    weights, origin = _published(name) if source is True else (unwrapped(load_checkpoint(source)), str(source))
    if any(key.startswith("stages.") for key in weights):
        weights = from_solider(weights)
    weights = {key: value for key, value in weights.items() if not key.startswith(("head.", "fc.", "classifier."))}
    plain = build_backbone(name, tuple(model.backbone.patch_embed.img_size))  # with the tables that KP-RPE may replace
    module = swin_transformer if name.startswith("swin") else vision_transformer
    try:
        weights = module.checkpoint_filter_fn(dict(weights), plain)
    except (AttributeError, KeyError, IndexError, RuntimeError, ValueError) as error:
        reason = " ".join(str(error).split())[:200]
        raise KpstraError(f"{origin}: no weights of {BACKBONES[name][0]} ({reason}): is it another model's?") from error
    report = fit(weights, model.backbone.state_dict(), origin)
    model.backbone.load_state_dict(report.weights, strict=False)
    return report


def unwrapped(checkpoint: Mapping) -> dict[str, Tensor]:
    """Return a file's weights under the backbone's own names."""
    for key in WRAPPERS:
        if isinstance(checkpoint.get(key), Mapping):
            return unwrapped(checkpoint[key])
    prefix = re.compile(r"^(module\.)?(backbone\.|base\.)?")
    return {prefix.sub("", key): value for key, value in checkpoint.items() if isinstance(value, Tensor)}


def from_solider(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Rename the weights of mmseg's Swin, as SOLIDER publishes them, to those of Swin's authors.

    mmseg merges 2 x 2 patches channel by channel, the authors patch by patch, columns first: the merging layers' inputs
    are brought into the authors' order. Norms of the first three stages, which no global feature passes, and
    SOLIDER's semantic embedding are left out.
    """
    renamed = {}
    for key, value in weights.items():
        if re.match(r"norm[012]\.|semantic_embed", key) or key.endswith("relative_position_index"):
            continue
        if ".downsample." in key:
            value = value.unflatten(-1, (-1, 2, 2)).transpose(-1, -2)  # channels, columns, rows of the 2 x 2 patches
            value = value.flatten(-2).transpose(-1, -2).flatten(-2)
        for pattern, new in SOLIDER.items():
            key = re.sub(pattern, new, key)
        renamed[key] = value
    return renamed


def _published(name: str) -> tuple[dict[str, Tensor], str]:
    timm_name, arguments = BACKBONES[name]
    origin = f"timm's {timm_name}"
    try:
        state = torch.random.get_rng_state()
        network = timm.create_model(timm_name, pretrained=True, num_classes=0, **arguments)
        torch.random.set_rng_state(state)
    except Exception as error:  # the hub's own types, and the network's
        reason = " ".join(str(error).split())[:200]
        raise KpstraError(
            f"{name}: cannot download {origin} weights ({type(error).__name__}: {reason}); set stra.pretrained_path "
            "(pretrained=PATH) to a local copy, or model.pretrained False to train from scratch"
        ) from error
    return network.state_dict(), origin
