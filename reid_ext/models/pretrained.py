"""ImageNet weights for our models: from torchvision's published files or a local file, with a report of what fits."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor, nn
from torchvision.models import MobileNet_V2_Weights, ResNet50_Weights

from plugins.common.checkpoints import FitReport, fit
from plugins.errors import KpstraError

from ..training.checkpoints import load_checkpoint
from .faces.transformers import FaceTransformer, load_pretrained
from .networks import MOBILENET_STRA_BLOCKS
from .transformer_weights import load_backbone
from .transformers import ReidTransformer

# Blocks of torchreid's MobileNetV2 in the order of torchvision's features.1 to features.17.
MOBILENET_BLOCKS = [
    f"conv{stage}.{i}" for stage, depth in enumerate((1, 2, 3, 4, 3, 3, 1), start=2) for i in range(depth)
]


def load_imagenet(model: nn.Module, name: str, source: bool | str | Path = True, last_stage: bool = True) -> FitReport:
    """Fill ``model`` with the ImageNet weights that match by name and size.

    Args:
        model: one of :data:`reid_ext.models.factory.OURS`.
        name: its name in the factory.
        source: ``True`` for torchvision's published file (downloaded once into torch's hub folder), or the path of a
            file with torchvision's or torchreid's names.
        last_stage: also fill those layers of the replaced last-stage blocks that match (1x1 convolutions, BN,
            downsample), as the authors' code does; ``False`` leaves the whole blocks random, as the paper says.

    Raises:
        KpstraError: no published file for this model, no network, or a file that fits nowhere.
    """
    if isinstance(model, ReidTransformer):
        return load_backbone(model, source)
    if isinstance(model, FaceTransformer):
        return load_pretrained(model, source)
    weights, origin = _published(name) if source is True else (load_checkpoint(source), str(source))
    weights = weights.get("state_dict", weights)
    weights = {key.removeprefix("module."): value for key, value in weights.items()}
    if "features.0.0.weight" in weights:
        weights = from_torchvision_mobilenet(weights)
    skipped = ("classifier.", *(() if last_stage else replaced_blocks(name)))
    report = fit(
        {key: value for key, value in weights.items() if not key.startswith(skipped)}, model.state_dict(), origin
    )
    model.load_state_dict(report.weights, strict=False)
    return report


def from_torchvision_mobilenet(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Rename torchvision's MobileNetV2 weights to torchreid's names.

    torchreid's first block has a 1x1 convolution that torchvision's lacks: it becomes the identity (its input and
    output are both clipped to [0, 6]), so the network computes what torchvision's does.

    Raises:
        KpstraError: a name that is not torchvision's.
    """
    renamed = {}
    for key, value in weights.items():
        match = re.fullmatch(r"features\.(\d+)\.(?:conv\.)?(.+)", key)
        if match is None:
            continue
        index, rest = int(match[1]), match[2]
        try:
            if index == 0 or index > len(MOBILENET_BLOCKS):
                layer, part = ("conv1" if index == 0 else "conv9"), _conv_block(rest)
            else:
                layer, part = MOBILENET_BLOCKS[index - 1], _bottleneck(rest, expanded=index > 1)
        except (ValueError, IndexError) as error:
            raise KpstraError(
                f"{key}: no name of torchvision's or torchreid's MobileNetV2; give a file of theirs"
            ) from error
        renamed[f"{layer}.{part}"] = value
    channels = renamed["conv1.conv.weight"].shape[0]
    renamed["conv2.0.conv1.conv.weight"] = torch.eye(channels)[:, :, None, None]
    for part, value in (("weight", 1.0), ("bias", 0.0), ("running_mean", 0.0), ("running_var", 1.0)):
        renamed[f"conv2.0.conv1.bn.{part}"] = torch.full((channels,), value)
    return renamed


def _conv_block(rest: str) -> str:
    index, leaf = rest.split(".")
    return f"{('conv', 'bn')[int(index)]}.{leaf}"


def _bottleneck(rest: str, expanded: bool) -> str:
    step, _, inner = rest.partition(".")
    step = int(step) + (not expanded)
    return f"{('conv1', 'dwconv2')[step]}.{_conv_block(inner)}" if step < 2 else f"conv3.{step - 2}.{inner}"


def _published(name: str) -> tuple[dict[str, Tensor], str]:
    if name.startswith("mobilenetv2_x1_4"):
        raise KpstraError(
            f"{name}: its ImageNet weights cannot be downloaded by a program; torchreid links them in "
            "torchreid/models/mobilenetv2.py: set stra.pretrained_path (pretrained=PATH) to that file, or "
            "model.pretrained False to train from scratch"
        )
    if name.startswith("fer_"):
        raise KpstraError(
            f"{name}: nobody publishes ImageNet weights of it; set stra.pretrained_path (pretrained=PATH) to a "
            "local file, or model.pretrained False to train from scratch"
        )
    weights = (MobileNet_V2_Weights if name.startswith("mobilenet") else ResNet50_Weights).IMAGENET1K_V1
    try:
        return weights.get_state_dict(progress=True), weights.url
    except OSError as error:
        folder = Path(torch.hub.get_dir()) / "checkpoints"
        raise KpstraError(
            f"{name}: cannot download {weights.url} ({error}). Put that file into {folder}, or set "
            "stra.pretrained_path (pretrained=PATH) to a local copy, or model.pretrained False to train from scratch"
        ) from error


def replaced_blocks(name: str) -> tuple[str, ...]:
    if name.startswith("mobilenet"):
        return tuple(f"{stage}.{index}." for stage, index in MOBILENET_STRA_BLOCKS) if "_stra" in name else ()
    plain = ("resnet50_conv", "resnet50_nonlocal", "resnet50_face", "resnet50_face_ls2", "fer_resnet")
    return () if name in plain else ("layer4.",)
