"""What settings may say: the keys of the host's ``default.yaml``, those it reads besides, ours, and types."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch.utils.data import Sampler

from plugins.common.settings import known_keys
from plugins.errors import KpstraError, nearest, one_of

from ..data.joint_transform import build_joint_transform
from ..host.active import ActiveHost
from ..host.rehearsal import evaluations
from .model import check_model
from .ranges import check_ranges
from .rates import check_rates

TORCHREID = {"model", "data", "train", "test", "loss"}  # sections
SAMPLER = (
    "type",
    "sample_type",
    "batch_shuffle",
    "batch_size",
    "frames_num_fixed",
    "frames_num_max",
    "frames_num_min",
    "frames_skip_num",
    "frames_all_limit",
    "points_in_use",
)
BEYOND_DEFAULTS = {  # keys that OpenGait reads although its default.yaml does not list them, and ours
    "data_cfg": ("data_in_use", "self_supervised"),
    "evaluator_cfg": ("enable_bfloat16", "joint_transform"),
    "optimizer_cfg": ("lr_factors",),
    "trainer_cfg": ("T_max_iter", "enable_bfloat16", "iteration_per_epoch", "joint_transform", "seed"),
}
SEVERAL_TYPES = {
    "restore_hint": (int, str),
    "batch_size": (int, list),
    "transform": (list, dict),
    "loss_cfg": (list, dict),
}
NOT_FOR = {"trainer_cfg": ("Sampler", "InferenceSampler"), "evaluator_cfg": ("Sampler",)}
SAMPLE_TYPES = [f"{a}_{b}" for a in ("fixed", "unfixed", "all") for b in ("ordered", "unordered", "allordered")]
NUMBERS = ("loss_term_weight", "margin", "scale", "eps")  # of losses
TYPE_NAMES = {
    dict: "keys and values",
    list: "a list",
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "text",
}


def check(host: ActiveHost, settings: Mapping[str, Any], defaults: Mapping[str, Any], source: str) -> None:
    """Check merged settings.

    Args:
        host: whose classes and functions they name.
        settings: the user's over the host's defaults.
        defaults: the host's ``default.yaml``.
        source: the file or option they come from, for the message.

    Raises:
        KpstraError: unknown key, wrong type, unknown name of a class, or a value out of range.
    """
    if stray := TORCHREID & (settings.keys() - defaults.keys()):
        raise KpstraError(f"{source}: {min(stray)}: a section of torchreid's configurations; give one of OpenGait's")
    known_keys(settings, defaults, source)
    same_types(settings, defaults, f"{source}: ")
    for section in ("data_cfg", "evaluator_cfg", "trainer_cfg"):
        known_keys(settings[section], [*defaults[section], *BEYOND_DEFAULTS[section]], f"{source}: {section}")
        if "sampler" in settings[section]:
            known_keys(settings[section]["sampler"], SAMPLER, f"{source}: {section}.sampler")
    check_losses(host, settings["loss_cfg"], f"{source}: loss_cfg")
    for section, key, module in (
        ("optimizer_cfg", "solver", torch.optim),
        ("scheduler_cfg", "scheduler", torch.optim.lr_scheduler),
    ):
        known = arguments(named(module, settings[section][key], f"{source}: {section}.{key}"))
        known_keys(
            settings[section], [*known, *defaults[section], *BEYOND_DEFAULTS.get(section, ())], f"{source}: {section}"
        )
    for section in ("trainer_cfg", "evaluator_cfg"):
        build_joint_transform(settings[section].get("joint_transform"), f"{source}: {section}.joint_transform")
        transforms = settings[section]["transform"]
        for i, node in enumerate(transforms if isinstance(transforms, list) else [transforms]):
            check_transform(host, node, f"{source}: {section}.transform.{i}")
    check_evaluation(host, settings["evaluator_cfg"]["eval_func"], f"{source}: evaluator_cfg.eval_func")
    for section in ("trainer_cfg", "evaluator_cfg"):
        sampler, where = settings[section]["sampler"], f"{source}: {section}.sampler"
        kinds = [name for name, cls in vars(host.samplers).items() if inspect.isclass(cls) and issubclass(cls, Sampler)]
        one_of(sampler["type"], [name for name in kinds if name not in NOT_FOR[section]], f"{where}.type")
        one_of(sampler["sample_type"], SAMPLE_TYPES, f"{where}.sample_type")
    check_values(settings, source)
    check_model(settings["model_cfg"], source)
    check_rates(settings, source)


def check_evaluation(host: ActiveHost, name: str, where: str) -> None:
    """Refuse what is no evaluation of the host's."""
    try:
        one_of(name, evaluations(host), where)
    except KpstraError as error:
        more = "; a checkout of OpenGait has others: `opengait-ext setup`" if host.kind == "embedded" else ""
        raise KpstraError(f"{error}{more}") from error


def check_values(settings: Mapping[str, Any], source: str) -> None:
    """Refuse numbers that make no sense, and parts of ours that are of a wrong type."""
    check_ranges(settings, source)
    for key in ("kprpe", "transformer", "heatmaps", "modes"):
        node = settings["model_cfg"].get(key)
        if node is not None and not isinstance(node, Mapping):
            raise KpstraError(f"{source}: model_cfg.{key}: {node!r}: expected keys and values")
    for section in ("trainer_cfg", "evaluator_cfg"):
        value = settings[section].get("enable_bfloat16", False)
        if not isinstance(value, bool):
            raise KpstraError(f"{source}: {section}.enable_bfloat16: {value!r}: expected true or false")
    chosen = settings["data_cfg"].get("data_in_use")
    alike = isinstance(chosen, list) and len({type(one) for one in chosen}) == 1 and isinstance(chosen[0], int)
    if chosen is not None and not alike:
        raise KpstraError(
            f"{source}: data_cfg.data_in_use: {chosen!r}: expected true or false for each modality, or their numbers"
        )


def same_types(settings: Mapping, defaults: Mapping, where: str) -> None:
    """Refuse a value whose type is not that of the host's default."""
    for key, default in defaults.items():
        value = settings[key]
        allowed = SEVERAL_TYPES.get(key, (int, float) if type(default) is float else (type(default),))
        if not isinstance(value, allowed) or (isinstance(value, bool) and bool not in allowed):
            expected = " or ".join(TYPE_NAMES[kind] for kind in allowed)
            raise KpstraError(f"{where}{key}: {value!r}: expected {expected}")
        if isinstance(default, Mapping) and isinstance(value, Mapping):
            same_types({**default, **value}, default, f"{where}{key}.")


def check_losses(host: ActiveHost, losses: Sequence | Mapping, where: str) -> None:
    """Refuse an unknown loss, or one with unknown arguments."""
    for i, loss in enumerate([losses] if isinstance(losses, Mapping) else losses):
        known_keys(loss, loss, f"{where}.{i}")
        cls = named(host.losses, loss.get("type"), f"{where}.{i}.type")
        known_keys(loss, [*arguments(cls), "type", "log_prefix", "gather_and_scale"], f"{where}.{i}")
        if not isinstance(loss.get("log_prefix"), str) or not loss["log_prefix"]:
            raise KpstraError(f"{where}.{i}.log_prefix: {loss.get('log_prefix')!r}: expected a name")
        for key, value in loss.items():
            if key in NUMBERS and (not isinstance(value, (int, float)) or isinstance(value, bool)):
                raise KpstraError(f"{where}.{i}.{key}: {value!r}: expected a number")


def check_transform(host: ActiveHost, node: Any, where: str) -> None:
    """Refuse an unknown transform of one modality, or one with unknown arguments."""
    if not isinstance(node, Mapping) or "type" not in node:
        raise KpstraError(f"{where}: {node!r}: expected a transform such as {{type: BaseSilTransform}}")
    cls = named(host.transforms, node["type"], f"{where}.type")
    for key in node:
        if key != "type" and key not in arguments(cls):
            raise KpstraError(f"{where}.{key}: {node['type']} has no such argument{nearest(key, arguments(cls))}")
    for i, inner in enumerate(node.get("trf_cfg") or []):
        check_transform(host, inner, f"{where}.trf_cfg.{i}")


def arguments(cls: Callable) -> list[str]:
    """The settable arguments of a class."""
    return [name for name in inspect.signature(cls).parameters if name not in ("self", "params", "optimizer")]


def named(module: Any, name: Any, where: str) -> Callable:
    """Return the class or function of a module, or name those that there are."""
    known = [n for n, value in vars(module).items() if inspect.isclass(value) or inspect.isfunction(value)]
    one_of(name, known, where)
    return getattr(module, name)
