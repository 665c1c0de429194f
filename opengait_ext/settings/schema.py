"""What settings may say: the keys of the host's ``default.yaml``, those it reads besides, ours, and types.

What the host passes over, an argument that a class does not take or a key of a section that nobody here knows, is a
doubt: :func:`check` returns it, and :mod:`opengait_ext.settings.load` says or refuses it.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import MISSING, fields
from typing import Any

import torch
from torch.utils.data import Sampler

from plugins.common.settings import known_keys
from plugins.errors import KpstraError, nearest, one_of
from plugins.kprpe.config import KPRPEConfig

from ..data.joint_transform import build_joint_transform
from ..host.active import ActiveHost
from ..host.rehearsal import evaluations
from .model import check_model
from .optimiser import without_effect
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
    "data_cfg": ("data_in_use", "pretreatment", "self_supervised"),
    "evaluator_cfg": ("enable_bfloat16", "joint_transform"),
    "optimizer_cfg": ("lr_factors",),
    "trainer_cfg": ("T_max_iter", "enable_bfloat16", "iteration_per_epoch", "joint_transform", "seed"),
}
SEVERAL_TYPES = {
    "restore_hint": (int, str, list),
    "batch_size": (int, list),
    "transform": (list, dict),
    "loss_cfg": (list, dict),
}
NOT_FOR = {"trainer_cfg": ("Sampler", "InferenceSampler"), "evaluator_cfg": ("Sampler",)}
PRETREATMENT = ("workers", "host")  # the default first
OUR_DEFAULTS = {  # what ours are worth where nothing sets them, by dotted key
    "data_cfg.pretreatment": PRETREATMENT[0],
    "trainer_cfg.enable_bfloat16": False,
    "evaluator_cfg.enable_bfloat16": False,
    "model_cfg.kprpe.confidence": False,
    **{f"model_cfg.kprpe.{f.name}": f.default for f in fields(KPRPEConfig) if f.default is not MISSING},
}
SAMPLE_TYPES = [f"{a}_{b}" for a in ("fixed", "unfixed", "all") for b in ("ordered", "unordered", "allordered")]
NOT_SETTINGS = ("self", "params", "optimizer", "data", "dataset")  # arguments that the host gives
NUMBERS = ("loss_term_weight", "margin", "scale", "eps")  # of losses
TYPE_NAMES = {
    dict: "keys and values",
    list: "a list",
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "text",
}


def check(host: ActiveHost, settings: Mapping[str, Any], defaults: Mapping[str, Any], source: str) -> list[str]:
    """Check merged settings.

    Args:
        host: whose classes and functions they name.
        settings: the user's over the host's defaults.
        defaults: the host's ``default.yaml``.
        source: the file or option they come from, for the message.

    Returns:
        A sentence for each key that the host passes over, without the source.

    Raises:
        KpstraError: unknown section, wrong type, unknown name of a class, or a value out of range.
    """
    if stray := TORCHREID & (settings.keys() - defaults.keys()):
        raise KpstraError(f"{source}: {min(stray)}: a section of torchreid's configurations; give one of OpenGait's")
    known_keys(settings, defaults, source)
    with_one = {**settings, "data_cfg": data_sections(settings["data_cfg"], defaults["data_cfg"], source)[0]}
    same_types(with_one, defaults, f"{source}: ")
    check_evaluation(host, settings["evaluator_cfg"]["eval_func"], f"{source}: evaluator_cfg.eval_func")
    for section in ("trainer_cfg", "evaluator_cfg"):
        sampler, where = settings[section]["sampler"], f"{source}: {section}.sampler"
        kinds = [name for name, cls in vars(host.samplers).items() if inspect.isclass(cls) and issubclass(cls, Sampler)]
        one_of(sampler["type"], [name for name in kinds if name not in NOT_FOR[section]], f"{where}.type")
        one_of(sampler["sample_type"], SAMPLE_TYPES, f"{where}.sample_type")
        build_joint_transform(settings[section].get("joint_transform"), f"{source}: {section}.joint_transform")
    doubts = [
        *unknown_keys(host, settings, defaults),
        *check_losses(host, settings["loss_cfg"], source),
        *check_steps(settings, defaults, source),
        *(
            doubt
            for section in ("trainer_cfg", "evaluator_cfg")
            for doubt in check_transforms(host, settings[section]["transform"], source, f"{section}.transform")
        ),
    ]
    check_values(with_one, source)
    check_model(settings["model_cfg"], source)
    check_rates(settings, source)
    return doubts


def data_sections(data: Any, defaults: Mapping[str, Any], source: str) -> list[Any]:
    """Return ``data_cfg`` as a list: one data set, or each of several, as OpenGait's pretraining has them."""
    if not isinstance(data, list):
        return [data]
    if not data or not all(isinstance(one, Mapping) for one in data):
        raise KpstraError(f"{source}: data_cfg: {data!r:.100}: expected keys and values, or a list of such")
    return [{**defaults, **one} for one in data]


def unknown_keys(host: ActiveHost, settings: Mapping[str, Any], defaults: Mapping[str, Any]) -> Iterator[str]:
    """Yield what the sections of data, training and test hold that neither the host's defaults nor its classes know."""
    several = isinstance(settings["data_cfg"], list)
    for i, one in enumerate(settings["data_cfg"] if several else [settings["data_cfg"]]):
        known = (*defaults["data_cfg"], *BEYOND_DEFAULTS["data_cfg"])
        yield from unknown(one, known, f"data_cfg.{i}" if several else "data_cfg")
    evaluation = getattr(host.evaluator, settings["evaluator_cfg"]["eval_func"])
    options = {"trainer_cfg": (), "evaluator_cfg": arguments(evaluation)}
    for section, more in options.items():
        yield from unknown(settings[section], (*defaults[section], *BEYOND_DEFAULTS[section], *more), section)
        sampler = settings[section]["sampler"]
        known = (*SAMPLER, *arguments(getattr(host.samplers, sampler["type"])))
        yield from unknown(sampler, known, f"{section}.sampler")


def unknown(mapping: Mapping[str, Any], known: Sequence[str], where: str, of: str = "") -> Iterator[str]:
    """Yield a sentence for each key of a section that is not known, with the nearest one that is."""
    for key in mapping:
        if key not in known:
            yield f"{where}.{key}: {f'{of} has no such argument' if of else 'unknown key'}{nearest(key, known)}"


def check_steps(settings: Mapping[str, Any], defaults: Mapping[str, Any], source: str) -> Iterator[str]:
    """Refuse an unknown optimiser or schedule; yield the arguments that it does not take or that do not reach it."""
    for section, key, module in (
        ("optimizer_cfg", "solver", torch.optim),
        ("scheduler_cfg", "scheduler", torch.optim.lr_scheduler),
    ):
        known = arguments(named(module, settings[section][key], f"{source}: {section}.{key}"))
        yield from unknown(settings[section], [*known, *defaults[section], *BEYOND_DEFAULTS.get(section, ())], section)
    yield from without_effect(settings, defaults["optimizer_cfg"], BEYOND_DEFAULTS["optimizer_cfg"])


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
    for key in ("kprpe", "transformer", "heatmaps", "modes", "stra", "attention"):
        node = settings["model_cfg"].get(key)
        if node is not None and not isinstance(node, Mapping):
            raise KpstraError(f"{source}: model_cfg.{key}: {node!r}: expected keys and values")
    for section in ("trainer_cfg", "evaluator_cfg"):
        value = settings[section].get("enable_bfloat16", False)
        if not isinstance(value, bool):
            raise KpstraError(f"{source}: {section}.enable_bfloat16: {value!r}: expected true or false")
    one_of(settings["data_cfg"].get("pretreatment", PRETREATMENT[0]), PRETREATMENT, f"{source}: data_cfg.pretreatment")
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


def check_losses(host: ActiveHost, losses: Sequence | Mapping, source: str) -> Iterator[str]:
    """Refuse an unknown loss or one without a name; yield the arguments that it does not take."""
    for i, loss in enumerate([losses] if isinstance(losses, Mapping) else losses):
        where = f"loss_cfg.{i}"
        known_keys(loss, loss, f"{source}: {where}")
        cls = named(host.losses, loss.get("type"), f"{source}: {where}.type")
        yield from unknown(loss, [*arguments(cls), "type", "log_prefix", "gather_and_scale"], where)
        if not isinstance(loss.get("log_prefix"), str) or not loss["log_prefix"]:
            raise KpstraError(f"{source}: {where}.log_prefix: {loss.get('log_prefix')!r}: expected a name")
        for key, value in loss.items():
            if key in NUMBERS and (not isinstance(value, (int, float)) or isinstance(value, bool)):
                raise KpstraError(f"{source}: {where}.{key}: {value!r}: expected a number")


def check_transforms(host: ActiveHost, node: Any, source: str, where: str) -> Iterator[str]:
    """Refuse an unknown transform; yield the arguments that one does not take. A list has one for each modality."""
    if isinstance(node, list):
        for i, one in enumerate(node):
            yield from check_transforms(host, one, source, f"{where}.{i}")
        return
    if not isinstance(node, Mapping) or "type" not in node:
        raise KpstraError(f"{source}: {where}: {node!r}: expected a transform such as {{type: BaseSilTransform}}")
    cls = named(host.transforms, node["type"], f"{source}: {where}.type")
    yield from unknown(node, ["type", *arguments(cls)], where, node["type"])
    yield from check_transforms(host, node.get("trf_cfg") or [], source, f"{where}.trf_cfg")


def arguments(cls: Callable) -> list[str]:
    """The settable arguments of a class or function."""
    return [name for name in inspect.signature(cls).parameters if name not in NOT_SETTINGS]


def named(module: Any, name: Any, where: str) -> Callable:
    """Return the class or function of a module, or name those that there are."""
    known = [n for n, value in vars(module).items() if inspect.isclass(value) or inspect.isfunction(value)]
    one_of(name, known, where)
    return getattr(module, name)
