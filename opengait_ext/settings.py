"""A run's settings: the user's YAML over the host's ``configs/default.yaml``, then overrides, all checked."""
from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
import yaml

from plugins.errors import KpstraError, nearest, one_of
from plugins.files import resolve_config

from .host import Host
from .joint import build_joint_transform

SECTIONS = ("data_cfg", "evaluator_cfg", "loss_cfg", "model_cfg", "optimizer_cfg", "scheduler_cfg", "trainer_cfg")
SAMPLER = (
    "type", "sample_type", "batch_shuffle", "batch_size", "frames_num_fixed", "frames_num_max", "frames_num_min",
    "frames_skip_num", "frames_all_limit", "points_in_use",
)  # fmt: skip
BEYOND_DEFAULTS = {  # keys that OpenGait reads although its default.yaml does not list them, and ours
    "data_cfg": ("cache", "data_in_use", "test_dataset_name", "self_supervised"),
    "evaluator_cfg": ("eval_func", "joint_transform"),
    "trainer_cfg": ("T_max_iter", "joint_transform", "seed"),
}


def load_settings(host: Host, config: str, overrides: Sequence[str], restore: int = 0) -> dict[str, Any]:
    """Return the settings of a run; the host must be active.

    Args:
        config: a path, or the name of a shipped configuration.
        overrides: ``section.key=value`` pairs; the value is YAML, a list's items are named by their number.
        restore: the iteration of ``--iter``, 0 for none.

    Raises:
        KpstraError: no such file, unreadable YAML, unknown key, or a value that is out of range.
    """
    path = resolve_config(config)
    given = read_yaml(path)
    _check_keys(given, host, str(path))
    settings = read_yaml(host.root / "configs" / "default.yaml")
    sys.modules["utils"].MergeCfgsDict(given, settings)
    for override in overrides:
        _override(settings, override, host)
    if restore:
        settings["trainer_cfg"]["restore_hint"] = settings["evaluator_cfg"]["restore_hint"] = restore
    _check_values(settings, str(path))
    return settings


def read_yaml(path: Path) -> dict[str, Any]:
    """Read a mapping; anything else is a :class:`KpstraError` that names the file."""
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise KpstraError(f"{path}: not readable as YAML: {' '.join(str(error).split())}") from error
    if not isinstance(content, dict):
        raise KpstraError(f"{path}: expected sections such as `data_cfg:` and `model_cfg:`, found {content!r}")
    return content


def _override(settings: dict, override: str, host: Host) -> None:
    key, equals, text = override.partition("=")
    if not equals:
        raise KpstraError(f"command line: {override!r}: expected section.key=value, such as data_cfg.dataset_root=DATA")
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise KpstraError(f"command line: {key}: {text!r} is not YAML") from error
    *parents, last = key.split(".")
    node, tree = settings, value
    for part in reversed(key.split(".")):
        tree = {part: tree}
    if not any(part.isdigit() for part in parents):
        _check_keys(tree, host, "command line")
    for depth, part in enumerate(parents):
        if isinstance(node, list):
            part = _position(node, part, key)
        elif not isinstance(node.get(part), (dict, list)):
            node[part] = {}
        node = node[part]
        if not isinstance(node, (dict, list)):
            raise KpstraError(f"command line: {key}: {'.'.join(parents[: depth + 1])} is {node!r}, no section")
    node[_position(node, last, key) if isinstance(node, list) else last] = value


def _position(items: list, part: str, key: str) -> int:
    if not part.isdigit() or int(part) >= len(items):
        raise KpstraError(f"command line: {key}: {part!r}: expected a number from 0 to {len(items) - 1}")
    return int(part)


def _check_keys(given: Mapping, host: Host, source: str) -> None:
    """Refuse keys that neither the host's defaults nor the class that they configure knows."""
    defaults = read_yaml(host.root / "configs" / "default.yaml")

    def refuse(mapping: Any, known: Sequence[str], where: str) -> None:
        if not isinstance(mapping, Mapping):
            raise KpstraError(f"{source}: {where.rstrip('.') or 'the file'}: {mapping!r}: expected keys and values")
        for key in mapping:
            if key not in known:
                raise KpstraError(f"{source}: {where}{key}: unknown key{nearest(key, known)}")

    refuse(given, SECTIONS, "")
    for section, extra in BEYOND_DEFAULTS.items():
        if section in given:
            refuse(given[section], [*defaults[section], *extra], f"{section}.")
            if "sampler" in given[section]:
                refuse(given[section]["sampler"], SAMPLER, f"{section}.sampler.")
    losses = given.get("loss_cfg") or []
    for i, loss in enumerate([losses] if isinstance(losses, Mapping) else losses):
        cls = _named(sys.modules["modeling.losses"], loss.get("type"), f"{source}: loss_cfg.{i}.type")
        refuse(loss, [*_arguments(cls), "type", "log_prefix", "gather_and_scale"], f"loss_cfg.{i}.")
    for section, key, module in (
        ("optimizer_cfg", "solver", torch.optim), ("scheduler_cfg", "scheduler", torch.optim.lr_scheduler)
    ):  # fmt: skip
        if key in (given.get(section) or {}):
            cls = _named(module, given[section][key], f"{source}: {section}.{key}")
            refuse(given[section], [*_arguments(cls), key], f"{section}.")


def _arguments(cls: Callable) -> list[str]:
    return [name for name in inspect.signature(cls).parameters if name not in ("self", "params", "optimizer")]


def _named(module: Any, name: Any, where: str) -> Callable:
    known = [n for n, value in vars(module).items() if inspect.isclass(value) or inspect.isfunction(value)]
    one_of(name, known, where) if name not in known else None
    return getattr(module, name)


def _check_values(settings: dict, source: str) -> None:
    for section in ("trainer_cfg", "evaluator_cfg"):
        build_joint_transform(settings[section].get("joint_transform"), f"{section}.joint_transform")
        transforms = settings[section]["transform"]
        for i, node in enumerate(transforms if isinstance(transforms, list) else [transforms]):
            _check_transform(node, f"{source}: {section}.transform.{i}")
    trainer = settings["trainer_cfg"]
    for key in ("log_iter", "save_iter", "total_iter"):
        if not isinstance(trainer[key], int) or trainer[key] < 1:
            raise KpstraError(f"{source}: trainer_cfg.{key}: {trainer[key]!r}: expected a whole number of at least 1")
    seed = trainer.get("seed")
    if seed is not None and (not isinstance(seed, int) or isinstance(seed, bool) or seed < 0):
        raise KpstraError(f"{source}: trainer_cfg.seed: {seed!r}: expected a whole number from 0, or nothing")
    evaluator = sys.modules["evaluation"].evaluator
    _named(evaluator, settings["evaluator_cfg"]["eval_func"], f"{source}: evaluator_cfg.eval_func")


def _check_transform(node: Mapping, where: str) -> None:
    transform = sys.modules["data.transform"]
    if not isinstance(node, Mapping) or "type" not in node:
        raise KpstraError(f"{where}: {node!r}: expected a transform such as {{type: BaseSilTransform}}")
    cls = _named(transform, node["type"], f"{where}.type")
    for key in node:
        if key != "type" and key not in _arguments(cls):
            raise KpstraError(f"{where}.{key}: {node['type']} has no such argument{nearest(key, _arguments(cls))}")
    for i, inner in enumerate(node.get("trf_cfg") or []):
        _check_transform(inner, f"{where}.trf_cfg.{i}")


def resolve_paths(settings: dict, host: Host, phase: str) -> Path:
    """Make the settings' relative paths absolute, seen from the working directory, and check that they exist.

    Returns:
        The partition file. OpenGait's own ``./datasets/...`` partitions are also found in the host's folder.
    """
    data = settings["data_cfg"]
    root = Path(data["dataset_root"])
    if not root.is_dir():
        raise KpstraError(
            f"data_cfg.dataset_root: {str(root)!r}: no such folder; give the output of `python -m opengait_ext.prepare"
            "` as data_cfg.dataset_root=FOLDER"
        )
    partition = Path(data["dataset_partition"])
    partition = partition if partition.is_file() else host.root / partition
    if not partition.is_file():
        raise KpstraError(
            f"data_cfg.dataset_partition: {data['dataset_partition']!r}: no such file; Gait3D.json is in OpenGait's "
            "datasets/Gait3D, give data_cfg.dataset_partition=FILE"
        )
    data["dataset_root"], data["dataset_partition"] = str(root.resolve()), str(partition.resolve())
    engine = settings["trainer_cfg" if phase == "train" else "evaluator_cfg"]
    if isinstance(engine["restore_hint"], str):
        checkpoint = Path(engine["restore_hint"])
        if not checkpoint.is_file():
            raise KpstraError(
                f"restore_hint: {str(checkpoint)!r}: no such checkpoint. A warm start takes one of another run, such "
                "as configs/opengait/deepgaitv2_2d_gait3d.yaml's; trainer_cfg.restore_hint=0 starts from scratch"
            )
        engine["restore_hint"] = str(checkpoint.resolve())
    return partition.resolve()
