"""torchreid's yacs schema with a ``stra`` node, merged from a YAML file and the command line."""

from __future__ import annotations

import ast
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch
from yacs.config import CfgNode

from plugins.common.settings import flatten, get_value, read_yaml, resolve_config
from plugins.errors import KpstraError, nearest, one_of

from ..data.affine import NAME as AFFINE
from ..training.margins import MARGINS
from .schema import (
    AT_LEAST_ONE,
    AT_MOST,
    BELOW_ONE,
    CHOICES,
    ENGINE_RUN,
    IMAGE_DATA,
    MAX_RANK,
    NOT_NEGATIVE,
    OPTIMIZER,
    POSITIVE,
    SCHEDULER,
    SCHEMA,
    STRA_SHAPE,
    THREE,
    UP_TO_ONE,
    VIDEO_DATA,
)

SECTIONS = "sections such as `model:` and `train:`"


def get_default_config() -> CfgNode:
    """Return the defaults: torchreid's, the ``stra`` node, and ``use_gpu`` as the machine has it."""
    cfg = CfgNode(SCHEMA)
    cfg.use_gpu = torch.cuda.is_available()
    return cfg


def default_values() -> dict[str, Any]:
    """Return the defaults by dotted key."""
    return flatten(get_default_config())


def load_config(
    config_file: str = "",
    opts: Sequence[str] = (),
    root: str = "",
    sources: Sequence[str] = (),
    targets: Sequence[str] = (),
    transforms: Sequence[str] = (),
) -> CfgNode:
    """Merge defaults, a YAML file, the data options and ``key value`` pairs; the later one wins.

    Args:
        config_file: a path, or the name of a shipped configuration (``configs/reid/resnet50_stra.yaml``).
        opts: alternating dotted keys and values as on a command line.
        root, sources, targets, transforms: set ``data.*`` unless empty.

    Raises:
        KpstraError: unknown key, wrong type, value out of range, odd number of ``opts``, unreadable YAML.
    """
    cfg = get_default_config()
    if config_file:
        path = resolve_config(config_file, "reid")
        given = read_yaml(path, SECTIONS)
        if not given:
            raise KpstraError(f"{path}: is empty; expected {SECTIONS}")
        for key, value in _leaves(given, cfg):
            _assign(cfg, key, value, str(path))
    options = {"root": root, "sources": sources, "targets": targets, "transforms": transforms}
    for name, value in options.items():
        if value:
            _assign(cfg, f"data.{name}", value if isinstance(value, str) else list(value), f"--{name}")
    for option in opts[::2]:
        if option.startswith("-"):
            raise KpstraError(f"command line: {option}: options come before the `key value` pairs")
    if len(opts) % 2:
        raise KpstraError(f"command line: {opts[-1]}: `key value` pairs need a value after every key")
    for key, value in zip(opts[::2], opts[1::2], strict=True):
        _assign(cfg, key, value, "command line")
    _check_together(cfg)
    return cfg


def as_yaml(cfg: CfgNode) -> str:
    """Return the settings as YAML; without ``use_gpu`` where it says what every machine finds out by itself."""
    written = cfg.clone()
    if written.use_gpu == torch.cuda.is_available():
        del written["use_gpu"]
    return written.dump(sort_keys=False, default_flow_style=None, width=120)


def datamanager_kwargs(cfg: CfgNode) -> dict[str, Any]:
    """Arguments of the host's ImageDataManager, or of its VideoDataManager for ``data.type: video``."""
    return _pick(cfg, IMAGE_DATA if cfg.data.type == "image" else VIDEO_DATA)


def optimizer_kwargs(cfg: CfgNode) -> dict[str, Any]:
    """Arguments of the host's build_optimizer."""
    return _pick(cfg, OPTIMIZER)


def scheduler_kwargs(cfg: CfgNode) -> dict[str, Any]:
    """Arguments of the host's build_lr_scheduler."""
    return _pick(cfg, SCHEDULER)


def engine_run_kwargs(cfg: CfgNode) -> dict[str, Any]:
    """Arguments of the host's Engine.run."""
    return _pick(cfg, ENGINE_RUN)


def kprpe_settings(cfg: CfgNode) -> dict[str, Any]:
    """Settings of KP-RPE that differ from the defaults."""
    return {key: value for key, value in cfg.kprpe.items() if value != SCHEMA["kprpe"][key]}


def stra_settings(cfg: CfgNode) -> dict[str, Any]:
    """Settings of StRA's layers that differ from the defaults."""
    return {key: cfg.stra[key] for key in STRA_SHAPE if cfg.stra[key] != SCHEMA["stra"][key]}


def _pick(cfg: CfgNode, table: Mapping[str, str]) -> dict[str, Any]:
    return {kwarg: get_value(cfg, key) for kwarg, key in table.items()}


def _leaves(content: Mapping, cfg: Mapping, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield what ``content`` sets as (dotted key, value), going down only where the schema has a section."""
    for name, value in content.items():
        if isinstance(value, Mapping) and isinstance(cfg.get(name), Mapping):
            yield from _leaves(value, cfg[name], f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def _assign(cfg: CfgNode, key: str, value: Any, source: str) -> None:
    """Set ``key``; ``source`` (a file or an option) is where an error message says that the value came from."""
    known = flatten(cfg)
    if key not in known:
        inside = [other for other in known if other.startswith(f"{key}.")]
        if inside:
            raise KpstraError(f"{source}: {key}: {value!r}: this is a section; set {', '.join(inside)}")
        same_leaf = [other for other in known if other.rpartition(".")[2] == key.rpartition(".")[2]]
        hint = f" (did you mean {same_leaf[0]!r}?)" if len(same_leaf) == 1 else nearest(key, known)
        if key.endswith("_cfg"):
            raise KpstraError(f"{source}: {key}: a section of OpenGait's configurations; give one of torchreid's")
        raise KpstraError(f"{source}: {key}: {value!r:.80}: unknown key{hint}")
    value = _converted(value, get_value(SCHEMA, key), f"{source}: {key}")
    items = value if isinstance(value, list) else [value]
    for item in items if key in CHOICES else ():
        one_of(item, CHOICES[key], f"{source}: {key}")
    if reason := _out_of_range(key, items):
        raise KpstraError(f"{source}: {key}: {value!r}: expected {reason}")
    section, _, name = key.rpartition(".")
    (get_value(cfg, section) if section else cfg)[name] = value


def _out_of_range(key: str, items: list) -> str | None:
    """Return what was expected of a setting, if its values are not that."""
    if any(isinstance(item, float) and not math.isfinite(item) for item in items):
        return "finite numbers"
    if key in AT_LEAST_ONE and (not items or min(items) < 1):
        return "1 or more"
    if key in THREE and len(items) != 3:
        return "three numbers: red, green, blue"
    if key in NOT_NEGATIVE and min(items) < 0:
        return "0 or more"
    if key == "data.affine.scale" and (len(items) != 2 or items[0] > items[1]):
        return "two numbers, the smaller one first"
    if key in POSITIVE and min(items) <= 0:
        return "more than 0"
    if key in BELOW_ONE and not 0 <= min(items) <= max(items) < 1:
        return "0 or more, and less than 1"
    if key in UP_TO_ONE and not 0 <= min(items) <= max(items) <= 1:
        return "0 to 1"
    if key in AT_MOST and max(items) > AT_MOST[key]:
        return f"at most {AT_MOST[key]}"
    return None


def _converted(value: Any, default: Any, where: str) -> Any:
    """Return ``value`` with the type of ``default``; text is read as a Python literal first, as yacs does."""
    plain = _literal(value)
    if isinstance(default, str):
        plain = plain if isinstance(plain, str) else value
    elif isinstance(default, list) and isinstance(plain, (list, tuple)):
        return [_converted(item, default[0], where) for item in plain]
    elif isinstance(default, float) and type(plain) is int:
        plain = float(plain)
    if type(plain) is not type(default):
        raise KpstraError(f"{where}: {value!r}: expected {type(default).__name__}, such as {default!r}")
    return plain


def _literal(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        return ast.literal_eval(value)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return value


def _check_together(cfg: CfgNode) -> None:
    triplet = cfg.loss.triplet
    if cfg.loss.name == "triplet" and triplet.weight_t == triplet.weight_x == 0:
        raise KpstraError("loss.triplet.weight_t, loss.triplet.weight_x: both 0: nothing would be trained; raise one")
    if cfg.loss.name in MARGINS and cfg.data.type == "video":
        raise KpstraError(f"loss.name: {cfg.loss.name}: margin losses are for images; set data.type image")
    for name in MARGINS:
        changed = [key for key, value in cfg.loss[name].items() if value != SCHEMA["loss"][name][key]]
        if changed and name != cfg.loss.name:
            raise KpstraError(
                f"loss.{name}.{changed[0]}: has no effect under loss.name {cfg.loss.name}; leave it out, or set "
                f"loss.name {name}"
            )
    if cfg.loss.name == "triplet" and triplet.weight_x == 0 and cfg.train.fixbase_epoch > 0:
        raise KpstraError(
            f"train.fixbase_epoch: {cfg.train.fixbase_epoch}: must be 0 while loss.triplet.weight_x is 0 "
            "(the classifier would be trained by no loss)"
        )
    usual = SCHEMA["data"]["affine"]
    if AFFINE not in cfg.data.transforms and (changed := [key for key in usual if cfg.data.affine[key] != usual[key]]):
        raise KpstraError(f"data.affine.{changed[0]}: has no effect: {AFFINE} is not among data.transforms; add it")
    warm, last = cfg.train.warmup_epoch, cfg.train.max_epoch
    if warm >= last:
        raise KpstraError(f"train.warmup_epoch: {warm}: expected fewer than train.max_epoch, {last}")
    for key in ("visrank", "rerank"):  # the host ignores the second in the tests of a training
        if cfg.test[key] and not cfg.test.evaluate:
            raise KpstraError(f"test.{key}: True: only with test.evaluate True")
    batches = cfg.train.batch_size, cfg.test.batch_size
    if cfg.data.type == "video" and cfg.video.sample_method == "all" and max(batches) > 1:
        raise KpstraError(
            "video.sample_method: all: tracklets of any length need train.batch_size and test.batch_size 1"
        )
    if max(cfg.test.ranks) > MAX_RANK:
        raise KpstraError(f"test.ranks: {cfg.test.ranks}: torchreid's CMC curve ends at rank {MAX_RANK}")
    if cfg.sgd.nesterov and (cfg.sgd.momentum == 0 or cfg.sgd.dampening != 0):
        raise KpstraError("sgd.nesterov: True: needs an sgd.momentum above 0 and an sgd.dampening of 0")
    both = ", ".join(sorted({*cfg.data.sources} & {*cfg.data.targets}))
    if cfg.data.load_train_targets and both:
        raise KpstraError(f"data.load_train_targets: True: data.sources and data.targets share {both}")
    if cfg.data.k_tfm > 1:
        raise KpstraError(f"data.k_tfm: {cfg.data.k_tfm}: torchreid's engines train on one draw of an image")
    for key in ("data.sources", "data.targets"):
        if not get_value(cfg, key):
            raise KpstraError(f"{key}: []: name at least one data set")
        names = cfg.data[key.removeprefix("data.")]
        if len({*names}) < len(names):
            raise KpstraError(f"{key}: {names}: the same data set twice; its people would count as others")
    if cfg.use_gpu and not torch.cuda.is_available():
        raise KpstraError("use_gpu: True: torch finds no CUDA device here; leave it out or set it to False")
