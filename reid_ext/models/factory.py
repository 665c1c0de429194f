"""Our models by name, in torchreid's own factory: ``torchreid.models.build_model('resnet50_stra', ...)``."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from torch import nn

from plugins.errors import KpstraError
from plugins.stra.layers import GroupedPointwiseConv2d

from ..host import torchreid
from ..training.console import print_report
from .backbones import BACKBONES
from .faces.resnets import EXPRESSION_RESNETS, FACE_RESNETS
from .faces.transformers import FACE_TRANSFORMERS, FaceTransformer
from .inputs import EXPRESSIONS, FACES, FACES_STRA, PEOPLE, Input
from .modal import ModesTransformer
from .networks import (
    GivesDiversity,
    LastStrideMobileNetV2,
    LinearHeadResNet,
    NonLocalResNet,
    StRAMobileNetV2,
    StRAResNet,
)
from .options import current
from .pretrained import load_imagenet, replaced_blocks
from .transformers import TRANSFORMERS, ReidTransformer

MODELS: dict[str, Callable[..., nn.Module]] = {
    # Table 1
    "resnet50_conv": LinearHeadResNet,
    "resnet50_stra": StRAResNet,
    "resnet50_nonlocal": NonLocalResNet,
    "mobilenetv2_x1_0_ls1": partial(LastStrideMobileNetV2, width_mult=1.0),
    "mobilenetv2_x1_4_ls1": partial(LastStrideMobileNetV2, width_mult=1.4),
    "mobilenetv2_x1_0_stra": partial(StRAMobileNetV2, width_mult=1.0),
    "mobilenetv2_x1_4_stra": partial(StRAMobileNetV2, width_mult=1.4),
    "mobilenetv2_x1_0_stra_g16": partial(StRAMobileNetV2, width_mult=1.0, groups=16),
    "mobilenetv2_x1_4_stra_g16": partial(StRAMobileNetV2, width_mult=1.4, groups=16),
    # MobileNetV2's placement and size are ours to find: what its parts do
    "mobilenetv2_x1_0_stra_local": partial(StRAMobileNetV2, width_mult=1.0, mode_attention=False),
    "mobilenetv2_x1_0_stra_value": partial(StRAMobileNetV2, width_mult=1.0, value_conv=True),
    # Table 3: components
    "resnet50_stra_local": partial(StRAResNet, mode_attention=False),
    "resnet50_stra_nointeract": partial(StRAResNet, mode_interaction=False),
    # Table 4: mode attention on other local operators
    "resnet50_conv_mode": partial(StRAResNet, operator="conv"),
    "resnet50_groupconv_mode": partial(StRAResNet, operator="group_conv"),
    "resnet50_sasa": partial(StRAResNet, operator="sasa", mode_attention=False),
    "resnet50_sasa_mode": partial(StRAResNet, operator="sasa"),
}

INPUTS = ((FACE_TRANSFORMERS, FACES), (FACE_RESNETS, FACES_STRA), (EXPRESSION_RESNETS, EXPRESSIONS))
FACE_MODELS = {**FACE_TRANSFORMERS, **FACE_RESNETS, **EXPRESSION_RESNETS}
MODAL = {f"{backbone}_modes": partial(ModesTransformer, backbone=backbone) for backbone in BACKBONES}
OURS: dict[str, Callable[..., nn.Module]] = {**MODELS, **TRANSFORMERS, **MODAL, **FACE_MODELS}


def _build(
    name: str, num_classes: int, loss: str = "softmax", pretrained: bool | str = True, use_gpu: bool = True
) -> nn.Module:
    """Build ``name`` as torchreid's factory calls it; ``pretrained`` may also be the path of ImageNet weights."""
    stra = _stra(name)
    try:
        model = OURS[name](num_classes, loss, **stra)
    except KpstraError as error:
        raise KpstraError(f"{', '.join(f'stra.{key}' for key in stra)}: {error}" if stra else str(error)) from error
    if pretrained:
        print_report(load_imagenet(model, name, pretrained).summary())
    return model


def _stra(name: str) -> dict[str, Any]:
    """Return the ``stra`` settings that a model is built with.

    Raises:
        KpstraError: one that has no effect on it.
    """
    known, given = stra_keys(name), dict(current().stra)
    for key in given:
        if key not in known:
            raise KpstraError(f"stra.{key}: has no effect on {name}, {_knows(known)}")
    return given


def _knows(known: tuple[str, ...]) -> str:
    return f"which knows {', '.join(known)}" if known else "which has no modes to set; choose a model.name with StRA"


def stra_keys(name: str) -> tuple[str, ...]:
    """Return the ``stra`` settings that shape a model: none that its name fixes, or that it has no use for."""
    built = OURS.get(name)
    kind, fixed = getattr(built, "func", built), getattr(built, "keywords", {})
    if built is None or not issubclass(kind, GivesDiversity):
        return ()
    if issubclass(kind, ModesTransformer):
        return ("groups",)
    keys = ["groups", "kernel_size"]
    keys += ["ratio"] if fixed.get("operator", "local") == "local" else []
    keys += ["gate"] if fixed.get("mode_attention", True) else []
    return tuple(key for key in keys if key not in fixed)


def replaces_last_stage(name: str) -> bool:
    """Whether a model has blocks in its last stage that ImageNet's weights may fill in part or not at all."""
    built = OURS.get(name)
    kind = getattr(built, "func", built)
    transformer = built is None or issubclass(kind, (ReidTransformer, FaceTransformer))
    return not transformer and bool(replaced_blocks(name))


def takes_kprpe(name: str) -> bool:
    """Whether the ``kprpe`` settings have an effect on a model."""
    built = OURS.get(name)
    return bool(getattr(getattr(built, "func", built), "settings", ()))


def with_joints(name: str) -> bool:
    """Whether a model takes keypoints."""
    built = OURS.get(name)
    return bool(getattr(getattr(built, "func", built), "takes_keypoints", False))


def input_of(name: str) -> Input:
    """Return the images that a model, also one of the host's, is for where nothing else is asked for."""
    return next((images for names, images in INPUTS if name in names), PEOPLE)


def register() -> None:
    """Add :data:`OURS` to torchreid's model factory, and their layers to its FLOP counter; once is enough."""
    factory = getattr(torchreid.models, "__model_factory")
    factory.update({name: partial(_build, name) for name in OURS})
    for table in ("__generic_flops_counter", "__conv_linear_flops_counter"):  # layer -> count, by the name of its class
        counter = getattr(torchreid.utils.model_complexity, table)
        counter[GroupedPointwiseConv2d.__name__] = counter[nn.Conv2d.__name__]
