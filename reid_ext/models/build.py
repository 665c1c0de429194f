"""The model of a run: built by torchreid's factory, its weights loaded, its layers' names checked."""

from __future__ import annotations

from typing import Any

from torch import nn
from yacs.config import CfgNode

from plugins.errors import KpstraError, one_of

from ..host import torchreid
from ..host_errors import host_call
from ..settings.load import kprpe_settings, stra_settings
from ..settings.schema import SCHEMA
from ..training.console import print_report
from ..training.margins import MARGINS, give_margin
from . import factory
from .options import building, network_settings
from .pretrained import load_imagenet

LAYERS = {"train.open_layers": "train.fixbase_epoch", "train.new_layers": "train.staged_lr"}  # key -> what uses it


def model_name(cfg: CfgNode) -> str:
    """Register our models with the host and return ``cfg.model.name`` if there is such a model."""
    factory.register()
    one_of(cfg.model.name, getattr(torchreid.models, "__model_factory"), "model.name")
    return cfg.model.name


def build_model(cfg: CfgNode, num_classes: int) -> nn.Module:
    """Build ``model.name`` from the host's factory, with ImageNet weights if the configuration asks for them.

    They are left out where a checkpoint replaces all of them: in a run that is resumed, and in a test.

    Raises:
        KpstraError: no such model or layers, no ImageNet weights, or a model that the host cannot build.
    """
    name = model_name(cfg)
    ours, kprpe, stra = name in factory.OURS, kprpe_settings(cfg), stra_settings(cfg)
    if kprpe and not factory.takes_kprpe(name):
        raise KpstraError(
            f"kprpe.{next(iter(kprpe))}: has no effect on {name}; choose a model.name that takes keypoints"
        )
    check_stra(cfg)
    replaced = replaces_weights(cfg)
    pretrained = cfg.model.pretrained and not ours and not replaced
    loss = "softmax" if cfg.loss.name in MARGINS else cfg.loss.name
    with host_call(f"model.name {name}", "choose another model, or model.pretrained False"):
        try:
            with building((cfg.data.height, cfg.data.width), kprpe, stra):
                model = torchreid.models.build_model(name, num_classes, loss, pretrained, cfg.use_gpu)
        except OSError as error:
            raise KpstraError(
                f"model.name: {name}: torchreid cannot download its ImageNet weights ({error}); set "
                "model.pretrained False, or model.load_weights PATH with it"
            ) from error
    if ours and (cfg.model.pretrained or cfg.stra.pretrained_path) and not replaced:
        source = cfg.stra.pretrained_path or True
        print_report(load_imagenet(model, name, source, cfg.stra.pretrained_last_stage).summary())
    if cfg.loss.name in MARGINS:
        give_margin(model, cfg.loss.name, **cfg.loss[cfg.loss.name])
    check_layers(cfg, model)
    note_normalisation(cfg)
    return model


def replaces_weights(cfg: CfgNode) -> bool:
    """Whether a checkpoint gives all weights, in a run that is resumed and in a test of a file."""
    tested = cfg.test.evaluate and cfg.model.load_weights and not cfg.model.partial_weights
    return bool(cfg.model.resume or tested)


def check_stra(cfg: CfgNode) -> None:
    """Check that the ``stra`` settings have an effect on the model; what shapes its layers the factory checks.

    The diversity loss's weight is left to the networks that others with such a loss are compared with: one
    configuration serves both.

    Raises:
        KpstraError: names the setting.
    """
    name = cfg.model.name
    changed = [key for key, value in cfg.stra.items() if value != SCHEMA["stra"][key]]
    without = [key for key in changed if name not in factory.OURS]
    if "pretrained_last_stage" in changed and not factory.replaces_last_stage(name):
        without.append("pretrained_last_stage")
    if without:
        raise KpstraError(f"stra.{without[0]}: has no effect on {name}; leave it out, or choose a model.name with StRA")


def built_with(cfg: CfgNode) -> dict[str, Any]:
    """Return by dotted key what :func:`build_model` builds the network with."""
    return network_settings(cfg.model.name, kprpe_settings(cfg), stra_settings(cfg))


def note_normalisation(cfg: CfgNode) -> None:
    """Tell where images for faces or expressions are normalised as nobody's weights for them are."""
    images = factory.input_of(cfg.model.name)
    values = zip((*cfg.data.norm_mean, *cfg.data.norm_std), (*images.mean, *images.std), strict=True)
    if cfg.model.name in factory.FACE_MODELS and any(abs(given - usual) > 1e-3 for given, usual in values):
        print(
            f"Note: data.norm_mean {cfg.data.norm_mean}, data.norm_std {cfg.data.norm_std}: images of "
            f"{cfg.model.name} have {list(images.mean)}, {list(images.std)} elsewhere"
        )


def check_layers(cfg: CfgNode, model: nn.Module) -> None:
    """Check that the layers named in ``train.open_layers`` and ``train.new_layers`` exist.

    The defaults pass where nothing uses them: a few of the host's models have no layer of that name.

    Raises:
        KpstraError: names key, layer and the model's layers.
    """
    children = [name for name, _ in model.named_children()]
    for key, used_by in LAYERS.items():
        layers = cfg.train[key.removeprefix("train.")]
        used = cfg.train[used_by.removeprefix("train.")]
        for layer in layers if used or layers != ["classifier"] else ():
            one_of(layer, children, f"{key} for {cfg.model.name}")
        if used and not layers:
            raise KpstraError(f"{key}: []: name at least one layer, as {used_by} is {used}")
